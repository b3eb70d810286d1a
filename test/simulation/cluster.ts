import { MemoryBroker, MemoryBus } from '../../src/bus/memory.ts';
import { FakeEngine } from '../../src/container/fake.ts';
import { ClusterConfig } from '../../src/contract/config.ts';
import { decode } from '../../src/contract/decode.ts';
import { subjects } from '../../src/contract/subjects.ts';
import { RouteTable } from '../../src/core/route-table.ts';
import { Dea } from '../../src/dea/dea.ts';
import { emptyDroplets, fakeProbe, type Heard, listenToAll, startMessage } from '../../src/dea/testing/harness.ts';
import type { DesiredApp } from '../../src/health/desired.ts';
import { HealthManager } from '../../src/health/health-manager.ts';
import { FakeLeadership } from '../../src/health/leadership.ts';
import { forgetfulNotebook } from '../../src/health/notebook.ts';
import { FakeClock, settle } from '../../src/platform/clock.ts';
import { temporaryDirectory } from '../../src/platform/files.ts';
import { silentLog } from '../../src/platform/log.ts';
import { pathsOf } from '../../src/platform/paths.ts';
import { seededRandom } from '../../src/platform/random.ts';

const config = decode(ClusterConfig, { dea: { memoryMb: 4096, diskMb: 40_960 } }, 'config');

type Node = {
  readonly id: string;
  readonly engine: FakeEngine;
  readonly bus: MemoryBus;
  readonly directory: string;
  dea: Dea;
};

/**
 * A cluster on a fake clock and an in-process bus: real DEAs over fake containers, a real health manager, a real route
 * table, and a controller that does no more than place what it is asked for.
 */
export class Cluster implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly desired = new Map<string, DesiredApp>();
  readonly nodes: Node[] = [];
  readonly routes = new RouteTable(config.router.pruneS * 1000);
  readonly heard: Heard;
  readonly leadership = new FakeLeadership();
  readonly notebook = forgetfulNotebook();
  /** Processes whose instances exit as soon as they are started. */
  readonly broken = new Set<string>();
  /** Messages of the health manager that the controller does not get. */
  loseRequests = false;
  /** The desired state can't be read. */
  isControllerAway = false;
  readonly asked: string[] = [];
  readonly #broker = new MemoryBroker();
  readonly #bus = new MemoryBus(this.#broker);
  readonly #directories: AsyncDisposable[] = [];
  #placed = 0;
  #manager: HealthManager | undefined;
  #managerBus: MemoryBus | undefined;

  private constructor() {
    this.heard = listenToAll(this.#bus);
    this.#bus.subscribe(subjects.routerRegister, [], (message) => this.routes.register(message, this.clock.nowMs()));
    this.#bus.subscribe(subjects.routerUnregister, [], (message) => this.routes.unregister(message));
    this.#bus.subscribe(subjects.healthStart, [], ({ droplet, indices, version }) => {
      for (const index of indices) this.asked.push(`start ${droplet}/${index}`);
      if (this.loseRequests || this.desired.get(droplet)?.version !== version) return;
      for (const index of indices) this.place(droplet, index);
    });
    this.#bus.subscribe(subjects.deaRefused, [], ({ droplet, index, dea, refused_by }) => {
      const tried = [...refused_by, dea];
      const node = this.nodes.find(({ id }) => !tried.includes(id));
      if (node) this.startOn(node, droplet, index, { refusedBy: tried });
    });
    this.#bus.subscribe(subjects.healthStop, [], ({ droplet, instances, running, version }) => {
      const wanted = this.desired.get(droplet);
      const stopped = Object.values(instances).filter((one) => one === version).length;
      // As the real controller: a started app is never left with fewer than it should have.
      const isTooMany = stopped > 0 && (running[version] ?? 0) - stopped < (wanted?.instances ?? 0);
      if (wanted?.state === 'STARTED' && isTooMany) return;
      for (const instance of Object.keys(instances)) this.asked.push(`stop ${droplet} ${instance}`);
      if (!this.loseRequests) this.#bus.publish(subjects.deaStop, [], { droplet, instances: Object.keys(instances) });
    });
  }

  /** A cluster of so many DEAs whose health manager trusts what it hears. */
  static async open(deas: number): Promise<Cluster> {
    const cluster = new Cluster();
    for (let n = 1; n <= deas; n++) await cluster.addDea();
    await cluster.startManager();
    await cluster.clock.advance(10_000);
    return cluster;
  }

  async addDea(): Promise<Node> {
    const number = this.nodes.length + 1;
    const directory = await temporaryDirectory('stackato-simulation');
    this.#directories.push(directory);
    const engine = new FakeEngine({
      clock: this.clock,
      script: (process) => {
        if (this.broken.has(process.spec.labels?.droplet ?? '')) process.exit(1);
        else process.listen(8080);
      },
    });
    const bus = new MemoryBus(this.#broker);
    const id = String(number).padStart(32, 'd');
    const node = { id, engine, bus, directory: directory.path };
    const opened = { ...node, dea: await this.#openDea(node, number) };
    this.nodes.push(opened);
    await settle();
    return opened;
  }

  async stopManager(): Promise<void> {
    await this.#manager?.[Symbol.asyncDispose]();
    await this.#managerBus?.close();
    this.#manager = undefined;
    this.#managerBus = undefined;
  }

  /** Starts a health manager in place of the one that runs. */
  async startManager(): Promise<void> {
    await this.stopManager();
    this.#managerBus = new MemoryBus(this.#broker);
    const { clock, leadership, notebook } = this;
    const source = {
      read: async () => {
        if (this.isControllerAway) throw new Error('no controller is there');
        return new Map(this.desired);
      },
    };
    const manager = new HealthManager({
      ...{ bus: this.#managerBus, clock, log: silentLog, config: config.health, source, leadership, notebook },
    });
    this.#manager = manager;
    manager.start();
    await settle();
  }

  /** What the health manager says of itself. */
  get manager(): HealthManager {
    if (!this.#manager) throw new Error('no health manager was started');
    return this.#manager;
  }

  /** The connection of the health manager to the bus. */
  get managerBus(): MemoryBus {
    if (!this.#managerBus) throw new Error('no health manager was started');
    return this.#managerBus;
  }

  /** Desires a process and tells of it; with `place`, starts it as a controller would. */
  async want(droplet: string, change: Partial<DesiredApp> = {}, options: { place?: boolean } = {}): Promise<void> {
    const before = this.desired.get(droplet) ?? {
      ...{ id: droplet, instances: 1, state: 'STARTED', memory: 64, package_state: 'STAGED', version: 'v1' },
      updated_at: new Date(this.clock.nowMs()).toISOString(),
    };
    const next = { ...before, ...change, updated_at: new Date(this.clock.nowMs()).toISOString() };
    this.desired.set(droplet, next);
    if (options.place) for (let index = 0; index < next.instances; index++) this.place(droplet, index);
    this.#bus.publish(subjects.dropletUpdated, [], { droplet });
    await settle();
  }

  /** Sends a start to the next DEA that can be reached. */
  place(droplet: string, index: number): void {
    const reachable = this.nodes.filter(({ bus }) => bus.status() === 'connected');
    const node = reachable[this.#placed++ % reachable.length];
    if (node) this.startOn(node, droplet, index);
  }

  startOn(
    node: Node,
    droplet: string,
    index: number,
    options: { version?: string; refusedBy?: readonly string[] } = {},
  ): void {
    const version = options.version ?? this.desired.get(droplet)?.version ?? 'v1';
    const message = startMessage({ droplet, index, version, uris: [`${droplet}.example`] });
    const x = message.x ? { ...message.x, app_guid: droplet, refused_by: [...(options.refusedBy ?? [])] } : undefined;
    this.#bus.publish(subjects.deaStart, [node.id], { ...message, ...(x ? { x } : {}) });
  }

  /** What runs where, as `dea: process/index`, sorted. */
  running(): string[] {
    return this.nodes
      .flatMap(({ dea }, n) =>
        dea.registry
          .list()
          .filter(({ state }) => state === 'RUNNING')
          .map(({ message }) => `${n + 1}: ${message.droplet}/${message.index}`),
      )
      .sort();
  }

  /** Indices of a process that run on DEAs that can be reached, sorted. */
  indices(droplet: string): number[] {
    return this.nodes
      .filter(({ bus }) => bus.status() === 'connected')
      .flatMap(({ dea }) => dea.registry.match({ droplet, states: ['RUNNING'] }))
      .map(({ message }) => message.index)
      .sort((a, b) => a - b);
  }

  /** Endpoints behind a process's route. */
  endpoints(droplet: string): number {
    this.routes.prune(this.clock.nowMs());
    return this.routes.lookup(`${droplet}.example`, '/')?.endpoints.length ?? 0;
  }

  /** Ends the main process of an instance, as a bug in it would. */
  crash(droplet: string, index: number): void {
    for (const { engine, dea } of this.nodes) {
      for (const { id } of dea.registry.match({ droplet, indices: [index], states: ['RUNNING'] })) {
        engine.process(id).exit(1);
      }
    }
  }

  /** Ends a DEA in order: it stops its instances first. */
  async shutDown(node: Node): Promise<void> {
    const ended = node.dea.shutDown();
    await this.clock.advance(1000);
    await ended;
    node.bus.setConnected(false);
  }

  async restartDea(node: Node): Promise<void> {
    await node.dea.leave();
    node.dea = await this.#openDea(node, this.nodes.indexOf(node) + 1);
    await settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#manager?.[Symbol.asyncDispose]();
    for (const { dea, engine } of this.nodes) {
      await dea.leave();
      await engine[Symbol.asyncDispose]();
    }
    for (const directory of this.#directories) await directory[Symbol.asyncDispose]();
  }

  #openDea(node: Omit<Node, 'dea'>, number: number): Promise<Dea> {
    const { engine, bus, id, directory } = node;
    const { clock } = this;
    const address = `10.0.0.${number}`;
    return Dea.open({
      boot: {
        ...{
          clock,
          config,
          log: silentLog,
          paths: pathsOf(directory),
          random: seededRandom(number * 1000 + clock.nowMs()),
        },
        node: {
          ...{ id, index: number, address, coreAddress: '10.0.0.1', roles: ['dea'] },
          ...{ zone: 'default', availabilityZone: 'default' },
        },
      },
      ...{ bus, engine, probe: fakeProbe(engine), droplets: emptyDroplets(engine) },
    });
  }
}
