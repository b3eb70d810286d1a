import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { AccessRecord, DataPlane, Endpoint, Pool, ProxyChange } from '../proxy.ts';
import type { LoggedRequest } from './access-line.ts';
import { AccessSink } from './access-sink.ts';
import { filesOf, type HaproxyOptions } from './config-file.ts';
import { Janitor } from './janitor.ts';
import { HaproxyProcess } from './process.ts';
import { readSlots } from './running.ts';
import { Slots } from './slots.ts';

const FIRST_SIZE = 1000;
const WATCH_MS = 1000;
/** Between looks if HAProxy lives: nobody is served until its death is seen, and a look is one small file. */
const LIFE_MS = 100;

/**
 * HAProxy, steered over its admin socket. It runs detached: it outlives this process and is adopted by the next one.
 * One thing is done to it at a time. Whatever it refuses is put right by a new configuration, which drops nothing.
 */
export class Haproxy implements DataPlane {
  /** One copy, which the process reads too: whose headers are believed changes at run time. */
  readonly #options: HaproxyOptions & { trustedProxies: readonly string[]; certificates: readonly string[] };
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #process: HaproxyProcess;
  readonly #slots: Slots;
  readonly #sink = new AccessSink();
  readonly #janitor: Janitor;
  readonly #listeners = new Set<(record: AccessRecord) => void>();
  readonly #timers: Disposable[] = [];
  readonly #known = new Map<string, Endpoint>();
  #sinkPort = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #isRunning = false;
  #isCurrent = true;
  #trouble: string | undefined;

  constructor(options: HaproxyOptions, { log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#options = { ...options };
    this.#log = log;
    this.#clock = clock;
    this.#process = new HaproxyProcess(this.#options, clock);
    this.#slots = new Slots(filesOf(options.directory), options.endpointTls);
    this.#janitor = new Janitor(this.#process.admin, this.#slots);
    this.#sink.onRecord = (record) => this.#tell(record);
    this.#sink.onGone = () => void this.#serially(() => this.#revive());
  }

  adopt(): Promise<readonly Pool[] | undefined> {
    return this.#serially(async () => {
      const former = await this.#process.formerSinkPort();
      const found = former === 0 ? undefined : await this.#process.find(former);
      if (!found) return undefined;
      this.#slots.adopt(await readSlots(this.#process.admin, filesOf(this.#options.directory)));
      this.#sinkPort = await this.#listen(former);
      const pools = this.#slots.pools();
      this.#learn(pools.flatMap(({ endpoints }) => endpoints));
      this.#log.info('adopted-haproxy', { pid: this.#process.pid, routes: pools.length });
      if (!found.isCurrent || this.#sinkPort !== former) await this.#reload('the configuration changed');
      this.#begin();
      return pools;
    });
  }

  start(table: readonly Pool[]): Promise<void> {
    return this.#serially(async () => {
      this.#sinkPort = await this.#listen(0);
      this.#slots.reset(table, this.#sizeFor(table.length));
      this.#learn(table.flatMap(({ endpoints }) => endpoints));
      try {
        await this.#process.launch(this.#slots, this.#sinkPort);
      } catch (error) {
        await this.#sink.close();
        throw error;
      }
      this.#log.info('started-haproxy', { pid: this.#process.pid, routes: table.length });
      this.#begin();
    });
  }

  apply(changes: readonly ProxyChange[]): Promise<void> {
    return this.#serially(async () => {
      this.#learn(changes.flatMap((change) => (change.do === 'add-endpoint' ? [change.endpoint] : [])));
      const plan = this.#slots.apply(changes);
      if ('reload' in plan) return this.#reload(plan.reload);
      try {
        await this.#process.admin.run(plan.commands);
      } catch (error) {
        await this.#mend(error);
      }
      const { size, free } = this.#slots.counts();
      if (this.#options.backends === 0 && free < size / 10) void this.#serially(() => this.#grow());
    });
  }

  /** Believes the forwarded headers of these addresses (CIDR), and of no others, from now on. */
  trust(addresses: readonly string[]): Promise<void> {
    return this.#serially(async () => {
      if ([...addresses].sort().join() === [...this.#options.trustedProxies].sort().join()) return;
      this.#options.trustedProxies = addresses;
      if (this.#isRunning) await this.#reload('other balancers are before us');
    });
  }

  /** Serves these certificates, the default one first, from now on; also when only their content changed. */
  certify(certificates: readonly string[]): Promise<void> {
    return this.#serially(async () => {
      this.#options.certificates = certificates;
      if (this.#isRunning) await this.#reload('the certificates changed');
    });
  }

  vouch(isCurrent: boolean): Promise<void> {
    return this.#serially(async () => {
      this.#isCurrent = isCurrent;
      if (!this.#isRunning) return;
      try {
        await this.#process.vouch(isCurrent);
      } catch (error) {
        await this.#mend(error);
      }
    });
  }

  detach(): Promise<void> {
    return this.#serially(() => this.#end());
  }

  stop(): Promise<void> {
    return this.#serially(async () => {
      await this.#process.stop();
      await this.#end();
    });
  }

  onAccess(listener: (record: AccessRecord) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  lostRecords(): number {
    return this.#sink.lost();
  }

  unwell(): string | undefined {
    return this.#isRunning ? this.#trouble : 'HAProxy does not run';
  }

  /** Pid of HAProxy, and how many backends it has. */
  inspect(): { pid: number; size: number; free: number } {
    return { pid: this.#process.pid, ...this.#slots.counts() };
  }

  #begin(): void {
    this.#isRunning = true;
    this.#timers.push(
      this.#clock.every(LIFE_MS, () => this.#serially(() => this.#revive())),
      this.#clock.every(WATCH_MS, () => this.#serially(() => this.#retry())),
      this.#clock.every(WATCH_MS, () => this.#serially(() => this.#sweep())),
    );
  }

  async #end(): Promise<void> {
    this.#isRunning = false;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.length = 0;
    await this.#sink.close();
  }

  /** Starts HAProxy again, with the table it should have, when it died. */
  async #revive(): Promise<void> {
    if (!this.#isRunning || this.#trouble !== undefined || (await this.#process.isAlive())) return;
    this.#log.error('lost-haproxy', { pid: this.#process.pid });
    await this.#reload('HAProxy died');
  }

  async #retry(): Promise<void> {
    if (this.#isRunning && this.#trouble !== undefined) await this.#reload('the last attempt failed');
  }

  async #sweep(): Promise<void> {
    if (!this.#isRunning || this.#trouble !== undefined) return;
    try {
      await this.#janitor.sweep(this.#clock.nowMs());
    } catch (error) {
      await this.#mend(error);
    }
  }

  async #grow(): Promise<void> {
    const { size, free } = this.#slots.counts();
    if (this.#isRunning && free < size / 10) await this.#reload('few blank backends are left');
  }

  async #mend(error: unknown): Promise<void> {
    this.#log.warn('failed-to-steer-haproxy', { error });
    await this.#reload('HAProxy did not follow');
  }

  /** Replaces HAProxy by one with the table it should have; open requests finish in the old one. */
  async #reload(because: string): Promise<void> {
    const pools = this.#slots.pools();
    this.#slots.reset(pools, this.#sizeFor(pools.length));
    this.#janitor.forget();
    try {
      await this.#process.launch(this.#slots, this.#sinkPort);
      if (!this.#isCurrent) await this.#process.vouch(false);
      this.#trouble = undefined;
      this.#log.info('reloaded-haproxy', { because, pid: this.#process.pid, ...this.#slots.counts() });
    } catch (error) {
      this.#trouble = `HAProxy could not be started: ${error instanceof Error ? error.message : String(error)}`;
      this.#log.error('failed-to-start-haproxy', { error });
    }
  }

  async #listen(port: number): Promise<number> {
    try {
      return await this.#sink.listen(port);
    } catch (error) {
      if (port === 0) throw error;
      this.#log.warn('found-log-port-taken', { port });
      return this.#sink.listen(0);
    }
  }

  #sizeFor(routes: number): number {
    if (this.#options.backends > 0) return Math.max(this.#options.backends, routes);
    return Math.max(FIRST_SIZE, Math.ceil((routes * 1.5) / FIRST_SIZE) * FIRST_SIZE);
  }

  #learn(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#known.set(endpoint.id, endpoint);
    // Log lines come after an endpoint has left; what is forgotten are only its particulars in a late line.
    while (this.#known.size > 200_000) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
  }

  #tell(logged: LoggedRequest): void {
    // HAProxy knows the app of a route; several apps may share one, and each has its own instances.
    const known = this.#known.get(logged.instance);
    const backend = known && logged.backendPort > 0 ? `${known.host}:${logged.backendPort}` : '';
    const full = Object.assign(logged, { backend, instanceIndex: known?.index ?? '', app: known?.app || logged.app });
    for (const listener of this.#listeners) listener(full);
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch((error: unknown) => this.#log.debug('failed-proxy-task', { error }));
    return result;
  }
}
