import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { readTextIfExists } from '../../platform/files.ts';
import type { Random } from '../../platform/random.ts';
import {
  type ContainerEngine,
  ContainerError,
  type ContainerInfo,
  type ContainerSpec,
  type ContainerStats,
  type Egress,
  type ExecOutcome,
  type Exit,
  type OutputCursor,
  type OutputLine,
  type ProcessSpec,
} from '../container.ts';
import { release, startConmon } from './conmon.ts';
import { type Containers, type ContainersTools, type Entry, sendSignal } from './containers.ts';
import { execInside } from './exec-inside.ts';
import { failure } from './failure.ts';
import { readLog } from './log-reader.ts';
import { faultOfEgress } from './nft-rules.ts';
import { hostnameOf, ID_OFFSET, ociConfig } from './oci-spec.ts';
import { type ContainerRecord, infoOf, startTicksOf } from './record.ts';
import type { Stacks } from './stacks.ts';

const HANDLE = /^[a-z0-9-]{1,64}$/;
const MB = 1024 * 1024;
/** For the runtime itself, not for what runs inside. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What an engine works with; `openFence` puts it together. */
export type FenceTools = ContainersTools & {
  readonly stacks: Stacks;
  readonly containers: Containers;
  readonly initPath: string;
  /** Empty for none. */
  readonly caFile: string;
  readonly logBytes: number;
  /** As Node names it. */
  readonly architecture: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly sweep: () => Promise<string[]>;
};

/** fence: one object per pool and process. What it knows is on disk, so that a successor can go on. */
export class FenceEngine implements ContainerEngine {
  readonly idOffset = ID_OFFSET;
  readonly #tools: FenceTools;

  constructor(tools: FenceTools) {
    this.#tools = tools;
  }

  listStacks(): Promise<string[]> {
    return this.#tools.stacks.list();
  }

  importStack(name: string, source: { directory: string } | { tar: string }): Promise<void> {
    return this.#tools.stacks.import(name, source);
  }

  removeStack(name: string): Promise<void> {
    return this.#tools.stacks.remove(name);
  }

  prepareImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void> {
    return this.#tools.stacks.prepareImage(image, fill);
  }

  hasImage(key: string): Promise<boolean> {
    return this.#tools.stacks.hasImage(key);
  }

  listImages(): Promise<string[]> {
    return this.#tools.stacks.listImages();
  }

  removeImage(key: string): Promise<void> {
    return this.#tools.stacks.removeImage(key);
  }

  async create(spec: ContainerSpec): Promise<ContainerInfo> {
    const { containers, network, stacks, layout } = this.#tools;
    if (!HANDLE.test(spec.handle)) throw new ContainerError('failed', `"${spec.handle}" can't be a container's handle`);
    checkEgress(spec.egress);
    return containers.inTurn(spec.handle, async () => {
      if (await containers.find(spec.handle)) {
        throw new ContainerError('already-exists', `a container called ${spec.handle} exists`);
      }
      const from = await stacks.subvolumeOf(spec.root);
      const entry = containers.enter(this.#recordOf(spec, network.take(spec.ports)));
      try {
        await mkdir(layout.folder(spec.handle));
        await containers.update(entry, {});
        await Promise.all([
          this.#makeRoot(entry.record, from),
          this.#makeFiles(entry.record),
          network.attach(entry.record),
        ]);
        await containers.update(entry, { phase: 'created' });
        return infoOf(entry.record);
      } catch (error) {
        await containers.remove(entry);
        throw failure(`container ${spec.handle} could not be created`, error);
      }
    });
  }

  async start(handle: string, process: ProcessSpec): Promise<void> {
    const { containers, layout, commands, network, logBytes } = this.#tools;
    await containers.inTurn(handle, async () => {
      const entry = await containers.get(handle);
      if (entry.record.phase !== 'created') {
        throw new ContainerError('failed', `${handle} was started before; a container runs one main process, once`);
      }
      try {
        await Promise.all([
          writeFile(layout.config(handle), JSON.stringify(this.#configOf(entry.record, process))),
          containers.update(entry, { phase: 'starting' }),
        ]);
        // It leaves a file named `oom` in its working folder when memory runs out.
        const cwd = dirname(layout.config(handle));
        const pid = await startConmon(commands.conmon(handle, logBytes), { env: { PATH }, cwd });
        const [startTicks, conmonPid] = await Promise.all([
          startTicksOf(pid),
          readTextIfExists(layout.conmonPidFile(handle)),
        ]);
        const init = { pid, startTicks: startTicks ?? '' };
        await containers.update(entry, { init, conmonPid: Number(conmonPid) });
        await network.connect(entry.record, pid);
        await release(commands, handle);
        await containers.update(entry, { phase: 'started' });
      } catch (error) {
        await containers.fail(entry);
        throw failure(`container ${handle} could not be started`, error);
      }
    });
  }

  async wait(handle: string, signal?: AbortSignal): Promise<Exit> {
    const { ended } = await this.#tools.containers.get(handle);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal?.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([ended.promise, aborted.promise]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async signal(handle: string, name: NodeJS.Signals, options: { all?: boolean } = {}): Promise<void> {
    const { cgroups, names, containers } = this.#tools;
    const { record } = await containers.get(handle);
    const { init } = record;
    if (record.exit || !init || (await startTicksOf(init.pid)) !== init.startTicks) return;
    // With its init every process of the container ends; the kernel sees to that.
    const all = options.all === true && name !== 'SIGKILL';
    for (const pid of all ? await cgroups.pids(names.cgroup(handle)) : [init.pid]) sendSignal(pid, name);
  }

  async exec(
    handle: string,
    process: ProcessSpec,
    options: { timeoutMs?: number; input?: Buffer } = {},
  ): Promise<ExecOutcome> {
    const { record } = await this.#tools.containers.get(handle);
    if (infoOf(record).state !== 'running') throw new ContainerError('failed', `${handle} is not running`);
    return execInside({ ...this.#tools, record, process }, options);
  }

  async *output(
    handle: string,
    options: { from?: OutputCursor; signal?: AbortSignal; onCursor?: (cursor: OutputCursor) => void } = {},
  ): AsyncIterable<OutputLine[]> {
    const { ended } = await this.#tools.containers.get(handle);
    yield* readLog(this.#tools.layout.log(handle), ended.promise, options);
  }

  async rootPath(handle: string): Promise<string> {
    await this.#tools.containers.get(handle);
    return this.#tools.layout.root(handle);
  }

  async setEgress(handle: string, egress: readonly Egress[]): Promise<void> {
    const { containers, network } = this.#tools;
    checkEgress(egress);
    await containers.inTurn(handle, async () => {
      const entry = await containers.get(handle);
      await network.setEgress(entry.record.slot, egress);
      await containers.update(entry, { egress: [...egress] });
    });
  }

  async stats(handle: string): Promise<ContainerStats> {
    const { containers, cgroups, names, store, layout } = this.#tools;
    await containers.get(handle);
    const [usage, diskBytes] = await Promise.all([
      cgroups.usage(names.cgroup(handle)),
      store.usageOf(layout.root(handle)),
    ]);
    return { ...(usage ?? { cpuNs: 0, memoryBytes: 0, pids: 0 }), diskBytes };
  }

  async info(handle: string): Promise<ContainerInfo> {
    return infoOf((await this.#tools.containers.get(handle)).record);
  }

  async list(): Promise<ContainerInfo[]> {
    const isWhole = ({ record }: Entry) => record.phase !== 'creating' && record.phase !== 'destroying';
    return (await this.#tools.containers.all()).filter(isWhole).map(({ record }) => infoOf(record));
  }

  async destroy(handle: string): Promise<void> {
    const { containers } = this.#tools;
    await containers.inTurn(handle, async () => {
      const entry = HANDLE.test(handle) ? await containers.find(handle) : undefined;
      if (entry) await containers.remove(entry);
    });
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#tools.store.space();
  }

  sweep(): Promise<string[]> {
    return this.#tools.sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tools.containers.close();
  }

  async #makeRoot(record: ContainerRecord, from: string): Promise<void> {
    const root = this.#tools.layout.root(record.handle);
    await this.#tools.store.snapshot(from, root);
    if (record.limits.diskMb > 0) await this.#tools.store.limit(root, record.limits.diskMb * MB);
  }

  async #makeFiles({ handle, address }: ContainerRecord): Promise<void> {
    const { layout } = this.#tools;
    const name = hostnameOf(handle);
    await writeFile(layout.hosts(handle), `127.0.0.1 localhost\n${address} ${name}\n`);
    await writeFile(layout.hostname(handle), `${name}\n`);
  }

  #recordOf(spec: ContainerSpec, network: Pick<ContainerRecord, 'slot' | 'address' | 'ports'>): ContainerRecord {
    return {
      handle: spec.handle,
      phase: 'creating',
      bootId: this.#tools.bootId,
      ...network,
      egress: [...spec.egress],
      limits: { ...spec.limits },
      mounts: [...(spec.mounts ?? [])],
      labels: { ...spec.labels },
      createdAtMs: this.#tools.clock.nowMs(),
    };
  }

  #configOf(record: ContainerRecord, process: ProcessSpec) {
    const { layout, names, initPath, caFile, cgroups, architecture } = this.#tools;
    const { handle } = record;
    return ociConfig({
      container: record,
      process,
      rootPath: layout.root(handle),
      cgroupsPath: names.cgroup(handle),
      files: { resolvConf: layout.resolvConf, hosts: layout.hosts(handle), hostname: layout.hostname(handle) },
      initPath,
      ...(caFile ? { caFile } : {}),
      hasSwapLimit: cgroups.hasSwapLimit,
      architecture,
    });
  }
}

function checkEgress(egress: readonly Egress[]): void {
  for (const rule of egress) {
    const fault = faultOfEgress(rule);
    if (fault !== undefined) throw new ContainerError('failed', `an egress rule can't be applied: ${fault}`);
  }
}
