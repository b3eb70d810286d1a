import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
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
} from './container.ts';
import { type FakeProcess, FakeRun } from './fake-process.ts';

export type { FakeProcess } from './fake-process.ts';

export type FakeOptions = {
  readonly clock: Clock;
  /** Plays each container's main process. Without one, processes print nothing and run until they are signalled. */
  readonly script?: (process: FakeProcess) => unknown;
  /** Plays `exec`; without one every exec succeeds and prints nothing. */
  readonly exec?: (handle: string, process: ProcessSpec, input?: Buffer) => ExecOutcome | Promise<ExecOutcome>;
  /** Default ['stackato']. */
  readonly stacks?: readonly string[];
  /** Default 40001 to 40100. */
  readonly hostPorts?: { readonly first: number; readonly last: number };
  readonly space?: { freeBytes: number; totalBytes: number };
};

type FakeContainer = {
  readonly spec: ContainerSpec;
  info: ContainerInfo;
  egress: readonly Egress[];
  stats: ContainerStats;
  run?: FakeRun;
  root?: string;
  /** Undefined when it was destroyed before it was started. */
  readonly started: PromiseWithResolvers<FakeRun | undefined>;
  readonly ended: PromiseWithResolvers<Exit>;
};

type Fallible = 'create' | 'start' | 'exec' | 'prepareImage' | 'destroy' | 'setEgress';

/** Containers in memory, whose processes a script plays; folders are real, and removed when disposed. */
export class FakeEngine implements ContainerEngine {
  /** Ids are the same on both sides. */
  readonly idOffset = 0;
  /** What `space` answers; tests may change it. */
  room: { freeBytes: number; totalBytes: number };
  readonly #options: FakeOptions;
  readonly #stacks: Set<string>;
  readonly #images = new Map<string, string>();
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #failures: { operation: Fallible; error: ContainerError }[] = [];
  #directory: string | undefined;
  #address = 1;

  constructor(options: FakeOptions) {
    this.#options = options;
    this.#stacks = new Set(options.stacks ?? ['stackato']);
    this.room = options.space ?? { freeBytes: 50e9, totalBytes: 100e9 };
  }

  /** Makes the next call of an operation fail. */
  failNext(operation: Fallible, error: ContainerError): void {
    this.#failures.push({ operation, error });
  }

  /** Is a container's process listening behind this host port? What a health check or a router would find. */
  isListening(hostPort: number): boolean {
    return [...this.#containers.values()].some((container) =>
      container.info.ports.some((p) => p.hostPort === hostPort && container.run?.isListening(p.containerPort) === true),
    );
  }

  /** The process played in a container, for tests that end it or print from outside. */
  process(handle: string): FakeProcess {
    const run = this.#get(handle).run;
    if (!run) throw new ContainerError('failed', `${handle} was not started`);
    return run;
  }

  /** What a container may reach, as last set. */
  egress(handle: string): readonly Egress[] {
    return this.#get(handle).egress;
  }

  setStats(handle: string, stats: Partial<ContainerStats>): void {
    const container = this.#get(handle);
    container.stats = { ...container.stats, ...stats };
  }

  async listStacks(): Promise<string[]> {
    return [...this.#stacks].sort();
  }

  async importStack(name: string): Promise<void> {
    this.#stacks.add(name);
  }

  async removeStack(name: string): Promise<void> {
    this.#stacks.delete(name);
  }

  prepareImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void> {
    const known = this.#preparing.get(image.key) ?? (this.#images.has(image.key) ? Promise.resolve() : undefined);
    if (known) return known;
    const work = this.#fillImage(image, fill).finally(() => this.#preparing.delete(image.key));
    this.#preparing.set(image.key, work);
    return work;
  }

  async hasImage(key: string): Promise<boolean> {
    return this.#images.has(key);
  }

  async listImages(): Promise<string[]> {
    return [...this.#images.keys()].sort();
  }

  async removeImage(key: string): Promise<void> {
    const root = this.#images.get(key);
    this.#images.delete(key);
    if (root !== undefined) rmSync(root, { recursive: true, force: true });
  }

  async create(spec: ContainerSpec): Promise<ContainerInfo> {
    this.#failIfTold('create');
    if (this.#containers.has(spec.handle)) {
      throw new ContainerError('already-exists', `a container called ${spec.handle} exists`);
    }
    if ('stack' in spec.root) this.#checkStack(spec.root.stack);
    else if (!this.#images.has(spec.root.image)) {
      throw new ContainerError('not-found', `no image called ${spec.root.image} was prepared`);
    }
    const info: ContainerInfo = {
      handle: spec.handle,
      state: 'created',
      address: `10.250.0.${(this.#address = (this.#address % 250) + 1)}`,
      ports: this.#takePorts(spec.ports),
      labels: { ...spec.labels },
      createdAtMs: this.#options.clock.nowMs(),
    };
    const stats = { cpuNs: 0, memoryBytes: 0, diskBytes: 0, pids: 0, memoryKills: 0, refusedForks: 0 };
    const ended = Promise.withResolvers<Exit>();
    // Nobody needs to wait for a container that is destroyed before it ran.
    ended.promise.catch(() => undefined);
    const started = Promise.withResolvers<FakeRun | undefined>();
    this.#containers.set(spec.handle, { spec, info, egress: spec.egress, stats, started, ended });
    return info;
  }

  async start(handle: string, process: ProcessSpec): Promise<void> {
    this.#failIfTold('start');
    const container = this.#get(handle);
    if (container.run) throw new ContainerError('failed', `${handle} was started before`);
    const { user } = container.spec;
    if (user && (user.uid !== process.uid || user.gid !== process.gid)) {
      throw new ContainerError('failed', `${handle} was created for another user`);
    }
    const run = new FakeRun({ spec: container.spec, process, clock: this.#options.clock });
    container.run = run;
    container.started.resolve(run);
    container.info = { ...container.info, state: 'running' };
    run.ended.then((exit) => {
      container.info = { ...container.info, state: 'exited', exit };
      container.ended.resolve(exit);
    });
    await this.#options.script?.(run);
  }

  wait(handle: string, signal?: AbortSignal): Promise<Exit> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#get(handle)
        .ended.promise.then(resolve, reject)
        .finally(() => signal?.removeEventListener('abort', onAbort));
    });
  }

  async signal(handle: string, name: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP'): Promise<void> {
    this.#get(handle).run?.receive(name);
  }

  async exec(handle: string, process: ProcessSpec, options: { input?: Buffer } = {}): Promise<ExecOutcome> {
    this.#failIfTold('exec');
    if (this.#get(handle).info.state !== 'running') throw new ContainerError('failed', `${handle} is not running`);
    return (await this.#options.exec?.(handle, process, options.input)) ?? { code: 0, stdout: '', stderr: '' };
  }

  async *output(
    handle: string,
    options: { from?: OutputCursor; signal?: AbortSignal; onCursor?: (cursor: OutputCursor) => void } = {},
  ): AsyncIterable<OutputLine[]> {
    const aborted = Promise.withResolvers<undefined>();
    options.signal?.addEventListener('abort', () => aborted.resolve(undefined), { once: true });
    if (options.signal?.aborted) return;
    const run = await Promise.race([this.#get(handle).started.promise, aborted.promise]);
    if (run) yield* run.read(options);
  }

  async rootPath(handle: string): Promise<string> {
    const container = this.#get(handle);
    if (container.root === undefined) {
      container.root = this.#folder();
      const { root } = container.spec;
      const image = 'image' in root ? this.#images.get(root.image) : undefined;
      if (image !== undefined) cpSync(image, container.root, { recursive: true, verbatimSymlinks: true });
    }
    return container.root;
  }

  async setEgress(handle: string, egress: readonly Egress[]): Promise<void> {
    this.#failIfTold('setEgress');
    this.#get(handle).egress = egress;
  }

  async stats(handle: string): Promise<ContainerStats> {
    return this.#get(handle).stats;
  }

  async info(handle: string): Promise<ContainerInfo> {
    return this.#get(handle).info;
  }

  async list(): Promise<ContainerInfo[]> {
    return [...this.#containers.values()].map(({ info }) => info);
  }

  async destroy(handle: string): Promise<void> {
    this.#failIfTold('destroy');
    const container = this.#containers.get(handle);
    if (!container) return;
    this.#containers.delete(handle);
    container.run?.receive('SIGKILL');
    container.started.resolve(undefined);
    if (!container.run) container.ended.reject(new ContainerError('not-found', `${handle} was destroyed`));
    if (container.root !== undefined) rmSync(container.root, { recursive: true, force: true });
  }

  /** Nothing here takes long enough to be made ahead. */
  async keepReady(): Promise<void> {}

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.room;
  }

  async sweep(): Promise<string[]> {
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of [...this.#containers.keys()]) await this.destroy(handle);
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
    this.#directory = undefined;
    this.#images.clear();
  }

  async #fillImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void> {
    this.#failIfTold('prepareImage');
    this.#checkStack(image.stack);
    const root = this.#folder();
    try {
      await fill(root);
    } catch (error) {
      rmSync(root, { recursive: true, force: true });
      throw error;
    }
    this.#images.set(image.key, root);
  }

  #takePorts(wanted: readonly number[]): ContainerInfo['ports'] {
    const { first, last } = this.#options.hostPorts ?? { first: 40_001, last: 40_100 };
    const used = new Set([...this.#containers.values()].flatMap(({ info }) => info.ports.map((p) => p.hostPort)));
    return wanted.map((containerPort) => {
      for (let hostPort = first; hostPort <= last; hostPort++) {
        if (used.has(hostPort)) continue;
        used.add(hostPort);
        return { containerPort, hostPort };
      }
      throw new ContainerError('no-free-port', `all host ports from ${first} to ${last} are taken`);
    });
  }

  #folder(): string {
    this.#directory ??= mkdtempSync(join(tmpdir(), 'stackato-fake-containers-'));
    const folder = join(this.#directory, randomUUID());
    mkdirSync(folder);
    return folder;
  }

  #checkStack(name: string): void {
    if (!this.#stacks.has(name)) throw new ContainerError('no-such-stack', `no stack called ${name} was imported`);
  }

  #get(handle: string): FakeContainer {
    const container = this.#containers.get(handle);
    if (!container) throw new ContainerError('not-found', `no container called ${handle}`);
    return container;
  }

  #failIfTold(operation: Fallible): void {
    const at = this.#failures.findIndex((failure) => failure.operation === operation);
    const [failure] = at < 0 ? [] : this.#failures.splice(at, 1);
    if (failure) throw failure.error;
  }
}
