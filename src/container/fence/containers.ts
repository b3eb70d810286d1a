import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { exists, readTextIfExists } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import { ContainerError, type Exit } from '../container.ts';
import type { Cgroups } from './cgroups.ts';
import { readExit, watchExits } from './exits.ts';
import type { IdRanges } from './id-ranges.ts';
import { endMonitor, findInit, findMonitors, isMonitor, removeCgroup, sendSignal } from './monitors.ts';
import type { Layout, Names } from './naming.ts';
import type { Network } from './network.ts';
import { type ContainerRecord, hasRun, readRecord, removeRecord, startTicksOf, writeRecord } from './record.ts';
import type { RuntimeCommands } from './runtime-commands.ts';
import { namesIn, type Store } from './store.ts';

const SUPERVISE_MS = 1000;
const RESTORE_MS = 5000;
const KILL_TIMEOUT_MS = 10_000;

export type Entry = {
  record: ContainerRecord;
  readonly ended: PromiseWithResolvers<Exit>;
  /** The last write of the record, which the next one waits for. */
  written: Promise<unknown>;
};

export type ContainersTools = {
  readonly layout: Layout;
  readonly names: Names;
  readonly commands: RuntimeCommands;
  readonly store: Store;
  readonly network: Network;
  readonly ids: IdRanges;
  readonly cgroups: Cgroups;
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** The containers of one pool: what is known of each, how each ends, and how each goes away. */
export class Containers {
  readonly #tools: ContainersTools;
  readonly #entries = new Map<string, Entry>();
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #watching: Disposable;

  constructor(tools: ContainersTools, records: readonly ContainerRecord[]) {
    this.#tools = tools;
    for (const record of records) this.enter(record);
    const watcher = watchExits(tools.layout, (id) => void this.#noticeExit(id));
    const supervising = tools.clock.every(SUPERVISE_MS, () => this.#supervise());
    const restoring = tools.clock.every(RESTORE_MS, () => this.#restoreNetwork());
    this.#watching = {
      [Symbol.dispose]: () => {
        watcher.close();
        supervising[Symbol.dispose]();
        restoring[Symbol.dispose]();
      },
    };
  }

  /** Looks after what was found: containers that ended meanwhile, or whose maker died half-way. */
  async adopt(): Promise<void> {
    const monitors = await findMonitors(this.#tools.layout);
    for (const entry of [...this.#entries.values()]) {
      const conmonPid = entry.record.conmonPid ?? monitors.get(entry.record.id);
      if (conmonPid !== undefined) entry.record = { ...entry.record, conmonPid };
      const { record } = entry;
      if (record.phase === 'creating' || record.phase === 'destroying') await this.remove(entry);
      else if (record.phase === 'starting') await this.fail(entry);
      else if (record.phase === 'started') await this.#checkAlive(entry);
      else if (record.init && !(await this.isWaiting(entry))) await this.remove(entry);
    }
  }

  /** Stops watching, once what is under way has ended. */
  async close(): Promise<void> {
    this.#watching[Symbol.dispose]();
    await Promise.allSettled(this.#queues.values());
  }

  /** Operations that change a container run one after another. */
  async inTurn<T>(handle: string, task: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(handle);
    const mine = Promise.allSettled([before]).then(task);
    const settled = Promise.allSettled([mine]);
    this.#queues.set(handle, settled);
    try {
      return await mine;
    } finally {
      if (this.#queues.get(handle) === settled) this.#queues.delete(handle);
    }
  }

  /** Is somebody changing this container now? */
  isBusy(handle: string): boolean {
    return this.#queues.has(handle);
  }

  /** Every container that is or was being made, also those an engine elsewhere made. */
  async all(): Promise<Entry[]> {
    for (const id of await namesIn(this.#tools.layout.containers)) {
      if (!this.#isKnown(id) && !this.isBusy(id)) await this.#read(id);
    }
    return [...this.#entries.values()];
  }

  async find(handle: string): Promise<Entry | undefined> {
    const known = this.#entries.get(handle);
    return known ?? (await this.#read(handle)) ?? (await this.all()).find((entry) => entry.record.handle === handle);
  }

  /** Its folder, with what is written down of it. */
  async makeFolder(entry: Entry): Promise<void> {
    await mkdir(this.#tools.layout.folder(entry.record.id));
    await this.update(entry, {});
  }

  /** A container made ahead becomes what it is needed for. */
  rename(entry: Entry, record: ContainerRecord): void {
    this.#entries.delete(entry.record.handle);
    entry.record = record;
    this.#entries.set(record.handle, entry);
  }

  #isKnown(id: string): boolean {
    return [...this.#entries.values()].some(({ record }) => record.id === id);
  }

  async #read(id: string): Promise<Entry | undefined> {
    const record = await readRecord(this.#tools.layout, id);
    if (!record || this.#isKnown(id)) return undefined;
    return this.#entries.get(record.handle) ?? this.enter(record);
  }

  async get(handle: string): Promise<Entry> {
    const entry = /^[a-z0-9-]{1,64}$/.test(handle) ? await this.find(handle) : undefined;
    if (entry) return entry;
    throw new ContainerError('not-found', `no container called ${handle}`);
  }

  enter(record: ContainerRecord): Entry {
    const entry: Entry = { record, ended: Promise.withResolvers<Exit>(), written: Promise.resolve() };
    // Nobody needs to wait for a container that is destroyed before it ran.
    entry.ended.promise.catch(() => undefined);
    if (record.exit) entry.ended.resolve(record.exit);
    this.#entries.set(record.handle, entry);
    return entry;
  }

  async update(entry: Entry, change: Partial<ContainerRecord>): Promise<void> {
    entry.record = { ...entry.record, ...change };
    const write = entry.written.then(() => writeRecord(this.#tools.layout, entry.record));
    entry.written = write.catch(() => false);
    await write;
  }

  /** Do the processes of a container that was made, but not let go, live? */
  async isWaiting({ record }: Entry): Promise<boolean> {
    const { init, conmonPid, bootId, exit } = record;
    if (!init || !conmonPid || exit || bootId !== this.#tools.bootId) return false;
    const [initTicks, monitorTicks] = await Promise.all([startTicksOf(init.pid), startTicksOf(conmonPid)]);
    return initTicks === init.startTicks && monitorTicks !== undefined;
  }

  /** Ends a container whose start did not succeed. */
  async fail(entry: Entry): Promise<void> {
    await this.#kill(entry);
    await this.#end(entry, this.#unknownExit());
  }

  /** Kills everything in a container and takes it away, as far as it exists. */
  async remove(entry: Entry): Promise<void> {
    const { layout, names, commands, network, store, ids } = this.#tools;
    const { handle, id } = entry.record;
    const wasRunning = hasRun(entry.record) && entry.record.init !== undefined && !entry.record.exit;
    if (!wasRunning) entry.ended.reject(new ContainerError('not-found', `${handle} was destroyed`));
    await this.update(entry, { phase: 'destroying' });
    if (entry.record.init !== undefined && !entry.record.exit) await this.#kill(entry);
    if (wasRunning) {
      entry.record.exit ??= { ...this.#unknownExit(), code: 137 };
      entry.ended.resolve(entry.record.exit);
    }
    if (await exists(commands.state(id))) await exec(commands.delete(id));
    await removeCgroup(names.cgroup(id), this.#tools);
    await Promise.all([network.release(entry.record), store.remove([layout.root(id)])]);
    await removeRecord(layout, id);
    ids.release(entry.record.firstId);
    this.#entries.delete(handle);
  }

  async #noticeExit(id: string): Promise<void> {
    const entry = this.#entries.get(id) ?? [...this.#entries.values()].find(({ record }) => record.id === id);
    // What ends before it was let go is noticed by whoever wants to let it go.
    if (!entry || entry.record.exit || !hasRun(entry.record)) return;
    const exit = await readExit(id, this.#tools);
    if (exit) await this.#end(entry, exit);
  }

  async #end(entry: Entry, exit: Exit): Promise<void> {
    if (entry.record.exit) return;
    entry.record = { ...entry.record, exit };
    entry.ended.resolve(exit);
    try {
      await this.update(entry, {});
    } catch (error) {
      // The disk is full, perhaps; conmon's file tells a successor how it ended.
      this.#tools.log.error('fail-to-write-record', { handle: entry.record.handle, error });
    }
  }

  /** conmon tells of every end, unless it was killed itself. */
  async #supervise(): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (entry.record.phase === 'started' && !this.isBusy(entry.record.handle)) await this.#checkAlive(entry);
    }
  }

  async #restoreNetwork(): Promise<void> {
    const { network, log } = this.#tools;
    try {
      if (await network.restore()) log.warn('restore-network-rules', { because: 'another program had removed them' });
    } catch (error) {
      log.error('fail-to-restore-network-rules', { error });
    }
  }

  async #checkAlive(entry: Entry): Promise<void> {
    const { record } = entry;
    if (record.exit) return;
    const isOfThisBoot = record.bootId === this.#tools.bootId;
    if (isOfThisBoot && record.conmonPid !== undefined && (await startTicksOf(record.conmonPid)) !== undefined) return;
    await this.#noticeExit(record.id);
    if (entry.record.exit) return;
    this.#tools.log.warn('lose-container-monitor', { handle: record.handle });
    await this.fail(entry);
  }

  async #kill(entry: Entry): Promise<void> {
    const { bootId, clock } = this.#tools;
    if (entry.record.bootId !== bootId) return;
    const deadlineMs = clock.nowMs() + KILL_TIMEOUT_MS;
    const found = entry.record.init ?? (await this.#initOf(entry, deadlineMs));
    // With the init of its pid namespace everything in a container ends, however much it forks.
    if (found && (await startTicksOf(found.pid)) === found.startTicks) sendSignal(found.pid, 'SIGKILL');
    while (clock.nowMs() < deadlineMs) {
      const isGone = !found || (await startTicksOf(found.pid)) !== found.startTicks;
      if (isGone && !(await this.#isMonitored(entry))) break;
      await clock.sleep(2);
    }
    const { conmonPid } = entry.record;
    if (conmonPid !== undefined && (await this.#isMonitored(entry))) await endMonitor(conmonPid, clock);
    const exit = await readExit(entry.record.id, this.#tools);
    if (exit) await this.#end(entry, exit);
  }

  /** The init that conmon wrote down. One that is still at work would make it after we are through, so it is waited for. */
  async #initOf(entry: Entry, deadlineMs: number): Promise<ContainerRecord['init']> {
    const { clock, layout } = this.#tools;
    const { id } = entry.record;
    const noted = Number(await readTextIfExists(layout.conmonPidFile(id)));
    if (noted > 0) entry.record = { ...entry.record, conmonPid: noted };
    for (;;) {
      const isAtWork = await this.#isMonitored(entry);
      const init = await findInit(id, this.#tools);
      if (init || !isAtWork || clock.nowMs() > deadlineMs) return init;
      await clock.sleep(5);
    }
  }

  async #isMonitored({ record: { id, conmonPid } }: Entry): Promise<boolean> {
    if (conmonPid === undefined || (await startTicksOf(conmonPid)) === undefined) return false;
    return isMonitor(conmonPid, this.#tools.layout.folder(id));
  }

  /** Removes what is written down of a container that is not there. */
  async forget(id: string): Promise<void> {
    await removeRecord(this.#tools.layout, id);
  }

  #unknownExit(): Exit {
    return { code: -1, outOfMemory: false, atMs: this.#tools.clock.nowMs() };
  }
}
