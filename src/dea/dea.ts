import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Bus } from '../bus/bus.ts';
import type { ContainerEngine } from '../container/container.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { crashesToRemove } from '../core/crash-retention.ts';
import { holdsMemory, isRouted } from '../core/instance-state.ts';
import type { Boot } from '../platform/config.ts';
import { adopt } from './adoption.ts';
import { AppLog } from './app-log.ts';
import { Capacity } from './capacity.ts';
import { Cursors } from './cursors.ts';
import { type DropletStore, Droplets, imageKeyOf } from './droplets.ts';
import type { StartMessage } from './instance.ts';
import { Keeper } from './keeper.ts';
import { Presence } from './presence.ts';
import type { Probe } from './probe.ts';
import { sayRefused } from './refusal.ts';
import { Registry } from './registry.ts';
import { Routes } from './routes.ts';
import { Shortages } from './shortages.ts';
import { Snapshot } from './snapshot.ts';
import { describeInstance, usageOf } from './stats.ts';

export type DeaOptions = {
  readonly boot: Pick<Boot, 'node' | 'config' | 'paths' | 'log' | 'clock' | 'random'>;
  readonly bus: Bus;
  readonly engine: ContainerEngine;
  readonly probe: Probe;
  /** Default: downloads them. */
  readonly droplets?: DropletStore;
};

const HOUSEKEEPING_MS = 10_000;
const SHORTAGES_MS = 5000;

/** Droplet execution agent: runs instances on this node and speaks for them on the bus. */
export class Dea {
  readonly registry = new Registry();
  readonly capacity: Capacity;
  readonly #options: DeaOptions;
  readonly #cursors: Cursors;
  readonly #snapshot: Snapshot;
  readonly #droplets: DropletStore;
  readonly #routes: Routes;
  readonly #keeper: Keeper;
  readonly #shortages: Shortages;
  readonly #presence: Presence;
  readonly #leave = new AbortController();
  readonly #open: Disposable[] = [];

  /** Takes over what a predecessor left, then begins to listen. */
  static async open(options: DeaOptions): Promise<Dea> {
    const { paths, config } = options.boot;
    await mkdir(paths.dea, { recursive: true, mode: 0o700 });
    const dea = new Dea(options);
    await dea.#begin(config.dea.heartbeatMs, config.dea.advertiseS * 1000);
    return dea;
  }

  private constructor(options: DeaOptions) {
    const { boot, bus, engine, probe } = options;
    const { clock, config, node, log, random, paths } = boot;
    this.#options = options;
    this.capacity = new Capacity(engine, config.dea, this.registry);
    this.#presence = new Presence({ boot, bus, engine, registry: this.registry, capacity: this.capacity });
    this.#cursors = new Cursors(paths.dea);
    this.#snapshot = new Snapshot(paths.dea, () => this.registry.list().map((instance) => instance.record()));
    this.#droplets = options.droplets ?? new Droplets({ engine, clock, log, directory: paths.dea });
    this.#routes = new Routes({
      bus,
      clock,
      intervalS: config.dea.registerS,
      node,
      linkPort: config.link.instancePort,
      registry: this.registry,
    });
    const appLog = new AppLog(bus, clock);
    this.#shortages = new Shortages({ engine, registry: this.registry, appLog, pidsLimit: config.dea.pidsLimit });
    this.#keeper = new Keeper({
      ...{ clock, random, log, node, config, bus, engine, probe },
      registry: this.registry,
      routes: this.#routes,
      snapshot: this.#snapshot,
      cursors: this.#cursors,
      droplets: this.#droplets,
      appLog,
      announce: () => this.#presence.announce(),
      leave: this.#leave.signal,
    });
  }

  /** Stops every instance in order, then ends. */
  async shutDown(): Promise<void> {
    this.#presence.sayLeaving();
    await Promise.all([
      this.#options.engine.keepReady(0),
      ...this.registry.list().map((instance) => this.#keeper.stop(instance, 'DEA_SHUTDOWN')),
    ]);
    await this.#end();
  }

  /**
   * Takes no more instances, and has the health manager start those that are here on other DEAs; each goes on until its
   * replacement runs.
   *
   * @returns how many are still here
   */
  evacuate(): number {
    if (!this.#presence.isLeaving) this.#presence.sayLeaving();
    const { clock, log } = this.#options.boot;
    const live = this.registry.list().filter(({ state }) => holdsMemory(state));
    const moved = live.filter(({ state }) => state === 'RUNNING');
    for (const instance of moved) instance.apply('evacuate', clock.nowMs());
    if (moved.length > 0) {
      log.info('evacuates', { instances: moved.length });
      this.#presence.heartbeat();
    }
    return live.length;
  }

  /** Ends, but leaves instances and routes as they are, for a successor. */
  async leave(): Promise<void> {
    this.#presence.sayLeaving();
    this.#routes.leave();
    this.#leave.abort(new Error('this process ends'));
    await Promise.all(this.registry.list().map(({ drained }) => drained));
    await this.#end();
  }

  async #begin(heartbeatMs: number, advertiseMs: number): Promise<void> {
    const { boot, engine } = this.#options;
    const { clock, log } = boot;
    await this.#droplets.open();
    await this.capacity.refresh();
    const parts = { engine, keeper: this.#keeper, registry: this.registry, clock, log };
    await adopt(parts, await this.#snapshot.load());
    this.#cursors.keepOnly((instance) => this.registry.has(instance));
    const swept = await engine.sweep();
    if (swept.length > 0) log.info('swept-leftovers', { swept });
    await this.#shortages.adopt();
    await this.#snapshot.save();
    this.#listen();
    this.#presence.greet();
    this.#makeAhead();
    this.#open.push(
      clock.every(heartbeatMs, () => this.#presence.heartbeat()),
      clock.every(advertiseMs, async () => {
        await this.capacity.refresh();
        await this.#presence.advertise();
      }),
      clock.every(HOUSEKEEPING_MS, () => this.#keepHouse()),
      clock.every(SHORTAGES_MS, () => this.#shortages.check()),
    );
  }

  /** Nobody waits for these: without them starts only take longer. */
  #makeAhead(): void {
    const { boot, engine } = this.#options;
    engine.keepReady(boot.config.dea.preallocated).catch((error: unknown) => {
      boot.log.warn('failed-to-make-containers-ahead', { error });
    });
  }

  #listen(): void {
    const { bus, boot } = this.#options;
    this.#open.push(
      bus.subscribe(subjects.deaStart, [boot.node.id], (message) => this.#start(message)),
      bus.subscribe(subjects.deaEvacuate, [boot.node.id], (_empty, { respond }) =>
        respond({ instances: this.evacuate() }),
      ),
      bus.subscribe(subjects.deaStop, [], (filter) => this.#stop(filter)),
      bus.subscribe(subjects.deaUpdate, [], (update) => this.#update(update)),
      bus.subscribe(subjects.deaFindDroplet, [], (request, { respond }) => this.#find(request, respond)),
      bus.subscribe(subjects.deaStatus, [], (_empty, { respond }) => respond(this.#presence.status())),
      bus.subscribe(subjects.deaLocate, [], () => this.#presence.advertise()),
      bus.subscribe(subjects.healthManagerStart, [], () => this.#presence.heartbeat()),
      // What was said meanwhile was not heard here.
      bus.onStatus((status) => status === 'connected' && this.#presence.greet()),
    );
  }

  #start(message: StartMessage): unknown {
    const { log } = this.#options.boot;
    const { droplet, index, version } = message;
    if (this.#presence.isLeaving) return this.#refuse(message, 'it is shutting down');
    const live = this.registry.findLive(droplet, index, version);
    if (live) return log.info('ignored-start', { droplet, index, because: `${live.id} is ${live.state}` });
    const refusal = this.capacity.refusal(message.limits);
    if (refusal !== undefined) return this.#refuse(message, refusal);
    log.info('starting-instance', { droplet, index, version });
    return this.#keeper.start(message);
  }

  #refuse(message: StartMessage, because: string): void {
    const { boot, bus } = this.#options;
    const { droplet, index } = message;
    boot.log.warn('refused-start', { droplet, index, because });
    sayRefused({ bus, node: boot.node }, message, { because });
    // Whoever sent it believed in more than there is.
    this.#presence.announce();
  }

  #stop(filter: PayloadOf<typeof subjects.deaStop>): Promise<unknown> {
    return Promise.all(this.registry.match(filter).map((instance) => this.#keeper.stop(instance)));
  }

  async #update(update: PayloadOf<typeof subjects.deaUpdate>): Promise<void> {
    const { engine } = this.#options;
    for (const instance of this.registry.match({ droplet: update.droplet })) {
      this.#routes.update(instance, update.uris, update.route_protocols ?? instance.protocols);
      const isAlive = instance.state === 'STARTING' || isRouted(instance.state);
      if (update.egress_network_rules && isAlive && instance.placement) {
        await engine.setEgress(instance.id, update.egress_network_rules);
      }
    }
    await this.#snapshot.save();
  }

  async #find(
    request: PayloadOf<typeof subjects.deaFindDroplet>,
    respond: (reply: Awaited<ReturnType<typeof describeInstance>>) => void,
  ): Promise<void> {
    const { engine, boot } = this.#options;
    const shared = { cores: availableParallelism(), memoryMb: this.capacity.memoryMb };
    const parts = { engine, clock: boot.clock, node: boot.node, shared };
    const { include_stats, path, ...filter } = request;
    await Promise.all(
      this.registry.match(filter).map(async (instance) => respond(await describeInstance(parts, instance, request))),
    );
  }

  async #keepHouse(): Promise<void> {
    const { boot, engine } = this.#options;
    const crashed = this.registry.list().filter(({ state }) => state === 'CRASHED');
    const kept = await Promise.all(
      crashed.map(async ({ id, message, ending, stateAtMs, placement }) => ({
        instance: id,
        droplet: message.droplet,
        index: message.index,
        crashedAtMs: ending?.atMs ?? stateAtMs,
        diskBytes: placement ? ((await usageOf(engine, id))?.diskBytes ?? 0) : 0,
      })),
    );
    const { crashKeptS, crashDiskMb } = boot.config.dea;
    const policy = { keptMs: crashKeptS * 1000, budgetBytes: crashDiskMb * 1_048_576 };
    for (const { instance, because } of crashesToRemove(kept, boot.clock.nowMs(), policy)) {
      const found = crashed.find(({ id }) => id === instance);
      boot.log.info('removed-crashed-instance', { instance, because });
      if (found) await this.#keeper.stop(found);
    }
    await this.#droplets.removeUnused(new Set(this.registry.list().map(({ message }) => imageKeyOf(message))));
  }

  async #end(): Promise<void> {
    for (const one of this.#open) one[Symbol.dispose]();
    await this.#routes[Symbol.asyncDispose]();
    await this.#snapshot.save();
    this.#cursors[Symbol.dispose]();
    await this.#options.bus.flush();
  }
}
