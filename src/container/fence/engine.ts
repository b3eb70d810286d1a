import type { Clock } from '../../platform/clock.ts';
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
import type { Entry } from './containers.ts';
import { execInside } from './exec-inside.ts';
import { failure } from './failure.ts';
import { ID_OFFSET } from './id-ranges.ts';
import { readLog } from './log-reader.ts';
import { sendSignal } from './monitors.ts';
import { faultOfEgress } from './nft-rules.ts';
import { type ContainerRecord, infoOf, startTicksOf } from './record.ts';
import type { Reserve } from './reserve.ts';
import type { Stacks } from './stacks.ts';
import { finish, launch, makeWaiting, type WaitingTools, writeNames } from './waiting.ts';

const HANDLE = /^[a-z0-9-]{1,64}$/;
const MB = 1024 * 1024;
/** An end is dated by a file, and a file by the kernel's last tick: it can have been so much later. */
const FILE_TIME_MS = 10;
/** What a container finds free at least, if its limit is not less; the store grows by more as it is used. */
const FIRST_ROOM_MB = 1024;
const NO_USAGE = { cpuNs: 0, memoryBytes: 0, pids: 0, memoryKills: 0, refusedForks: 0 };

/** What an engine works with; `openFence` puts it together. */
export type FenceTools = WaitingTools & {
  readonly stacks: Stacks;
  readonly reserve: Reserve;
  readonly growth: Disposable;
  readonly clock: Clock;
  readonly random: Random;
  readonly sweep: () => Promise<string[]>;
};

/** fence: one object per pool and process. What it knows is on disk, so that a successor can go on. */
export class FenceEngine implements ContainerEngine {
  readonly idOffset = ID_OFFSET;
  readonly #tools: FenceTools;
  readonly #closed = new AbortController();

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
    const { containers, network, stacks, reserve, store, cgroups, names } = this.#tools;
    if (!HANDLE.test(spec.handle)) throw new ContainerError('failed', `"${spec.handle}" can't be a container's handle`);
    checkEgress(spec.egress);
    return containers.inTurn(spec.handle, async () => {
      if (await containers.find(spec.handle)) {
        throw new ContainerError('already-exists', `a container called ${spec.handle} exists`);
      }
      const from = await stacks.subvolumeOf(spec.root);
      const ahead = await reserve.take(spec);
      const entry = ahead ? this.#dedicate(ahead, spec) : containers.enter(this.#recordOf(spec));
      try {
        await (ahead ? containers.update(entry, {}) : containers.makeFolder(entry));
        await Promise.all([
          finish(this.#tools, entry.record, { copyOf: from, enter: ahead !== undefined }),
          writeNames(this.#tools, entry.record),
          network.attach(entry.record),
          store.ensureFree(Math.min(spec.limits.diskMb, FIRST_ROOM_MB) * MB),
          ahead && cgroups.limit(names.cgroup(entry.record.id), spec.limits),
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
    const { containers } = this.#tools;
    await containers.inTurn(handle, async () => {
      const entry = await containers.get(handle);
      if (entry.record.phase !== 'created') {
        throw new ContainerError('failed', `${handle} was started before; a container runs one main process, once`);
      }
      try {
        checkUser(entry.record, process);
        await containers.update(entry, { phase: 'starting' });
        if (!entry.record.init) {
          await makeWaiting(this.#tools, entry, process);
          await finish(this.#tools, entry.record, { connect: true, enter: true });
        }
        await launch(this.#tools, entry, process);
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
    for (const pid of all ? await cgroups.pids(names.cgroup(record.id)) : [init.pid]) sendSignal(pid, name);
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
    const { ended, record } = await this.#tools.containers.get(handle);
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
    yield* readLog(this.#tools.layout.log(record.id), ended.promise, { ...options, signal });
  }

  async rootPath(handle: string): Promise<string> {
    const { record } = await this.#tools.containers.get(handle);
    return this.#tools.layout.root(record.id);
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
    const { id, exit } = (await containers.get(handle)).record;
    const [usage, diskBytes] = await Promise.all([
      cgroups.usage(names.cgroup(id)),
      store.usageOf(layout.root(id), exit && exit.atMs + FILE_TIME_MS),
    ]);
    return { ...(usage ?? NO_USAGE), diskBytes };
  }

  async info(handle: string): Promise<ContainerInfo> {
    return infoOf((await this.#tools.containers.get(handle)).record);
  }

  async list(): Promise<ContainerInfo[]> {
    const isWhole = ({ record: { phase } }: Entry) =>
      phase !== 'ready' && phase !== 'creating' && phase !== 'destroying';
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

  keepReady(count: number): Promise<void> {
    return this.#tools.reserve.keep(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A reader whose container goes on would wait, and hold its file, for ever.
    this.#closed.abort(new Error('the engine is closed'));
    this.#tools.growth[Symbol.dispose]();
    await this.#tools.reserve.close();
    await this.#tools.containers.close();
  }

  /** Makes a container that was made ahead that of a spec. */
  #dedicate(ahead: Entry, spec: ContainerSpec): Entry {
    const { containers, network } = this.#tools;
    const { recipe: _, ...made } = ahead.record;
    const ports = network.takePorts(spec.ports);
    containers.rename(ahead, { ...made, ...this.#wantsOf(spec), phase: 'creating', ports });
    return ahead;
  }

  #recordOf(spec: ContainerSpec): ContainerRecord {
    const { bootId, network, ids } = this.#tools;
    const place = { ...network.take(spec.ports), firstId: ids.take() };
    return { ...this.#wantsOf(spec), ...place, id: spec.handle, phase: 'creating', bootId };
  }

  #wantsOf(spec: ContainerSpec) {
    return {
      handle: spec.handle,
      egress: [...spec.egress],
      limits: { ...spec.limits },
      mounts: [...(spec.mounts ?? [])],
      labels: { ...spec.labels },
      createdAtMs: this.#tools.clock.nowMs(),
      ...(spec.user ? { user: { ...spec.user } } : {}),
    };
  }
}

function checkUser({ handle, user }: ContainerRecord, { uid, gid }: ProcessSpec): void {
  if (!user || (user.uid === uid && user.gid === gid)) return;
  const [meant, asked] = [`${user.uid}:${user.gid}`, `${uid}:${gid}`];
  throw new ContainerError('failed', `${handle} was created for a main process of ${meant}, not ${asked}`);
}

function checkEgress(egress: readonly Egress[]): void {
  for (const rule of egress) {
    const fault = faultOfEgress(rule);
    if (fault !== undefined) throw new ContainerError('failed', `an egress rule can't be applied: ${fault}`);
  }
}
