import type { Bus, BusStatus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { nodeCertificateName } from '../contract/topology.ts';
import { type Endpoint, type RouteChange, RouteTable } from '../core/route-table.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AccessRecord, DataPlane } from '../proxy/proxy.ts';
import { AppLines } from './app-lines.ts';
import { Hearing } from './hearing.ts';
import { admit, type RegisterMessage } from './registration.ts';
import { callTheRoll, type RollCall } from './roll-call.ts';
import { routesGauge, Traffic } from './traffic.ts';

const PRUNE_INTERVAL_MS = 30_000;
const VOUCH_EVERY_MS = 250;

export type RouterOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly proxy: DataPlane;
  /** `<index>-<uuid>`. */
  readonly id: string;
  /** Address of this node. */
  readonly address: string;
  readonly registerS: number;
  readonly pruneS: number;
  /** Longest wait for a whole table, ms. */
  readonly startDelayMs: number;
  /** DEAs whose routes the table needs to be whole, by node id; others are known when they are heard. */
  readonly awaitedDeas?: readonly string[];
  /** Can the data plane speak TLS to endpoints? */
  readonly hasEndpointTls?: boolean;
};

/** The control process of a router: hears registrations, keeps the table, steers the data plane, tells of requests. */
export class Router {
  readonly #options: RouterOptions;
  readonly #table: RouteTable;
  readonly #traffic = new Traffic();
  readonly #lines: AppLines;
  readonly #open = new DisposableStack();
  readonly #complained = new Set<string>();
  #pending: RouteChange[] = [];
  #flushing: Promise<void> | undefined;
  #isServing = false;
  #changedMs: number;
  /** Since when every living endpoint has had the chance to be heard. */
  #hearingSinceMs: number;
  /** Was everything that could be said since then heard? */
  #isCaughtUp = true;
  #isVouched: boolean | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#table = new RouteTable(options.pruneS * 1000);
    this.#lines = new AppLines(options.bus, options.clock);
    this.#changedMs = options.clock.nowMs();
    this.#hearingSinceMs = this.#changedMs;
  }

  /** Resolves when traffic flows: at once when a data plane was adopted, else when the table is whole. */
  async start(): Promise<void> {
    const { bus, clock, proxy, log } = this.#options;
    proxy.onAccess((record) => this.#finished(record));
    const adopted = await proxy.adopt();
    if (adopted) {
      this.#table.seed(adopted, clock.nowMs());
      this.#isServing = true;
    }
    this.#open.use(bus.subscribe(subjects.routerRegister, [], (message) => this.#register(message)));
    this.#open.use(bus.subscribe(subjects.routerUnregister, [], (message) => this.#unregister(message)));
    this.#open.use(bus.subscribe(subjects.routerGreet, [], (_empty, { respond }) => respond(this.#greeting())));
    this.#open.use(bus.onStatus((status) => this.#busChanged(status)));
    await bus.flush();
    this.#hearingSinceMs = clock.nowMs();
    bus.publish(subjects.routerStart, [], this.#greeting());
    if (!adopted) {
      await this.#becomeWhole();
      const pools = this.#table.pools();
      this.#isServing = true;
      await proxy.start(pools);
    }
    const hearing = this.#open.use(new Hearing(this.#options));
    this.#open.use(clock.every(VOUCH_EVERY_MS, () => this.#vouch(hearing)));
    if (adopted) void this.#catchUp();
    this.#open.use(clock.every(Math.min(PRUNE_INTERVAL_MS, this.#options.pruneS * 250), () => this.#prune()));
    log.info('routes', { ...this.#table.counts(), adopted: adopted !== undefined });
  }

  /** Stops steering. The data plane is ended too, or left running for a successor. */
  async stop(leaveRunning: boolean): Promise<void> {
    this.#open.dispose();
    await this.#flushing;
    if (leaveRunning) await this.#options.proxy.detach();
    else await this.#options.proxy.stop();
    this.#lines.flush();
  }

  varz(): Record<string, unknown> {
    const nowMs = this.#options.clock.nowMs();
    const { uris, apps } = this.#table.counts();
    return {
      urls: uris,
      droplets: apps,
      ...this.#traffic.varz(nowMs),
      ms_since_last_registry_update: nowMs - this.#changedMs,
      lost_access_records: this.#options.proxy.lostRecords(),
    };
  }

  unwell(): string | undefined {
    return this.#isServing ? this.#options.proxy.unwell() : 'the table is not whole yet';
  }

  #register(message: RegisterMessage): void {
    const admitted = admit(message, { hasTls: this.#options.hasEndpointTls ?? false });
    if ('refused' in admitted) this.#complain(message, admitted.refused);
    else this.#follow(this.#table.register(admitted, this.#options.clock.nowMs()));
  }

  #unregister(message: RegisterMessage): void {
    const admitted = admit(message, { hasTls: this.#options.hasEndpointTls ?? false });
    if (!('refused' in admitted)) this.#follow(this.#table.unregister(admitted));
  }

  #follow(changes: readonly RouteChange[]): void {
    if (changes.length === 0) return;
    this.#changedMs = this.#options.clock.nowMs();
    routesGauge.set(this.#table.counts().uris);
    for (const change of changes) this.#note(change);
    if (!this.#isServing) return;
    this.#pending.push(...changes);
    this.#flushing ??= this.#flush();
  }

  /** Changes that come together, or while others are under way, go together. */
  async #flush(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      await this.#options.proxy.apply(batch);
    }
    this.#flushing = undefined;
  }

  #prune(): void {
    const { bus, clock, pruneS } = this.#options;
    const nowMs = clock.nowMs();
    if (bus.status() !== 'connected' || nowMs - this.#hearingSinceMs < pruneS * 1000) return;
    this.#follow(this.#table.prune(nowMs));
  }

  #busChanged(status: BusStatus): void {
    if (status !== 'connected') return;
    this.#hearingSinceMs = this.#options.clock.nowMs();
    this.#options.bus.publish(subjects.routerStart, [], this.#greeting());
    if (this.#isServing) void this.#catchUp();
  }

  /** What DEAs had before they were out of hearing, and did not say again, is gone. */
  async #catchUp(): Promise<void> {
    this.#isCaughtUp = false;
    const { bus, clock, log, id, address } = this.#options;
    const sinceMs = this.#hearingSinceMs;
    let roll: RollCall | undefined;
    while (roll === undefined) {
      try {
        roll = await this.#callTheRoll();
      } catch (error) {
        // The connection broke again: the next one begins anew.
        if (bus.status() !== 'connected') return;
        log.warn('failed-to-catch-up', { error });
        await clock.sleep(1000);
      }
    }
    if (sinceMs !== this.#hearingSinceMs) return;
    const names = roll.deas.map((dea) => `.${nodeCertificateName(dea)}`);
    const isOwn = roll.deas.some((dea) => id.endsWith(`-${dea}`));
    const hasSpoken = ({ tls, host, app }: Endpoint) =>
      tls === undefined ? isOwn && app !== '' && host === address : names.some((name) => tls.name.endsWith(name));
    this.#follow(this.#table.forget(sinceMs, hasSpoken));
    this.#isCaughtUp = true;
  }

  /** A balancer prefers routers whose table is current. */
  async #vouch(hearing: Hearing): Promise<void> {
    const isCurrent = this.#isCaughtUp && hearing.isGood();
    if (isCurrent === this.#isVouched) return;
    const { log, proxy } = this.#options;
    if (this.#isVouched !== undefined) log.info(isCurrent ? 'table-is-current' : 'table-may-be-old');
    this.#isVouched = isCurrent;
    await proxy.vouch(isCurrent);
  }

  async #becomeWhole(): Promise<void> {
    const { clock, log } = this.#options;
    const startedMs = clock.nowMs();
    const { deas: _deas, ...roll } = await this.#callTheRoll();
    const say = roll.missing.length > 0 ? log.warn : log.info;
    say.call(log, 'filled-table', { ...roll, ...this.#table.counts(), waitedMs: clock.nowMs() - startedMs });
  }

  #callTheRoll(): Promise<RollCall> {
    const { bus, clock, startDelayMs, awaitedDeas = [] } = this.#options;
    const changedMs = () => this.#changedMs;
    return callTheRoll({ bus, clock, deadlineMs: startDelayMs, awaited: awaitedDeas, changedMs });
  }

  #greeting() {
    return {
      id: this.#options.id,
      hosts: [this.#options.address],
      minimumRegisterIntervalInSeconds: this.#options.registerS,
      pruneThresholdInSeconds: this.#options.pruneS,
    };
  }

  #finished(record: AccessRecord): void {
    this.#traffic.add(record, this.#options.clock.nowMs());
    this.#lines.add(record);
  }

  #note(change: RouteChange): void {
    if (!('endpoint' in change)) return;
    const { id, app, host, port } = change.endpoint;
    const because = change.do === 'remove-endpoint' ? change.because : 'registered';
    this.#options.log.debug(`did-${change.do}`, { uri: change.uri, app, instance: id, host, port, because });
  }

  #complain(message: RegisterMessage, reason: string): void {
    const key = `${message.host}:${message.port} ${reason}`;
    if (this.#complained.has(key) || this.#complained.size > 10_000) return;
    this.#complained.add(key);
    this.#options.log.warn('refused-registration', { host: message.host, port: message.port, reason });
  }
}
