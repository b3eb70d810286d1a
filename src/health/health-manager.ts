import type { Bus, Message } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import type { PayloadOf, ReplyOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { isFlapping } from '../core/crash-backoff.ts';
import { type Freshness, freshness } from '../core/freshness.ts';
import { limitStarts, type Plan, type ProcessFacts, reconcileAll } from '../core/reconcile.ts';
import { type Clock, slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Counts } from './counts.ts';
import type { DesiredSource } from './desired.ts';
import type { Leadership } from './leadership.ts';
import type { Notebook } from './notebook.ts';
import { policyOf, type WorldPolicy } from './policy.ts';
import { World } from './world.ts';

export type HealthManagerOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: ClusterConfig['health'];
  readonly source: DesiredSource;
  readonly leadership: Leadership;
  readonly notebook: Notebook;
};

/** A failed reading is tried again after this: at the start of everything the controller may be a moment behind. */
const READ_AGAIN_MS = 500;

/** Compares what should run with what does, and asks for starts and stops. */
export class HealthManager implements AsyncDisposable {
  readonly world: World;
  readonly counts = new Counts();
  readonly #options: HealthManagerOptions;
  readonly #policy: WorldPolicy;
  readonly #open: Disposable[] = [];
  readonly #stop = new AbortController();
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #isRecalled = false;
  /** The notes as they were last written. */
  #noted = '';
  #isReadingWell = true;
  #isNotingWell = true;
  #isAwaitingFreshness = false;
  #noting: Promise<void> | undefined;
  #staleBecause: string | undefined = 'just started';

  constructor(options: HealthManagerOptions) {
    const { config } = options;
    this.#options = options;
    this.#policy = policyOf(config);
    this.world = new World(this.#policy);
  }

  /** Begins to listen, to read and to compare. */
  start(): void {
    const { bus, clock, config } = this.#options;
    this.#open.push(
      bus.subscribe(subjects.deaHeartbeat, [], (beat) => {
        this.counts.heartbeats += 1;
        this.world.hearHeartbeat(beat, clock.nowMs());
      }),
      bus.subscribe(subjects.dropletExited, [], (exit) => {
        this.counts.exits += 1;
        if (this.world.hearExited(exit, clock.nowMs())) this.#healAtOnce(exit.droplet);
      }),
      bus.subscribe(subjects.deaRefused, [], (refused) => this.world.hearRefused(refused, clock.nowMs())),
      bus.subscribe(subjects.dropletUpdated, [], ({ droplet }) => {
        this.counts.updates += 1;
        this.world.markOutdated(droplet);
        return this.refresh();
      }),
      bus.subscribe(subjects.healthManagerStatus, [], (request, message) => this.#answerStatus(request, message)),
      bus.subscribe(subjects.healthManagerHealth, [], (request, message) => this.#answerHealth(request, message)),
      bus.onStatus((status) => this.#heardOfBus(status === 'connected')),
      clock.every(config.desiredRefreshMs, () => this.refresh()),
      clock.every(config.analysisMs, () => this.analyse()),
    );
    bus.publish(subjects.healthManagerStart, [], {});
    void this.refresh();
    void this.#takeNotes();
  }

  /** Why nothing is done at present; undefined when all is well. */
  get staleBecause(): string | undefined {
    return this.#staleBecause;
  }

  /** Reads the desired state again; calls that come meanwhile are answered by one more reading. */
  refresh(): Promise<void> {
    if (this.#reading) this.#readAgain = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Compares everything and asks for what is due. */
  analyse(): void {
    const { clock, log, config, leadership } = this.#options;
    const nowMs = clock.nowMs();
    void this.#takeNotes();
    for (const dea of this.world.sweep(nowMs)) log.warn('lost-dea', { dea, silentMs: config.heartbeatLostMs });
    const isFresh = this.#isFresh(nowMs);
    if (!isFresh) this.#analyseWhenFresh(nowMs);
    if (!isFresh || !leadership.isLeader()) return;
    const plans = this.#decide(this.world.allFacts(), nowMs);
    for (const plan of limitStarts(plans, config.startsPerTick)) this.#ask(plan, nowMs);
    this.counts.analysisMs = clock.nowMs() - nowMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) one[Symbol.dispose]();
    this.#stop.abort(new Error('stopped'));
    await this.#reading;
    await this.#noting;
    await this.#options.notebook[Symbol.asyncDispose]();
    await this.#options.leadership[Symbol.asyncDispose]();
  }

  async #read(): Promise<void> {
    const { clock, log, source } = this.#options;
    do {
      this.#readAgain = false;
      const beganAtMs = clock.nowMs();
      const reading = this.world.beginReading();
      try {
        const apps = await source.read(this.#stop.signal);
        this.world.setDesired(apps, reading, clock.nowMs());
        this.#isReadingWell = true;
        if (this.#staleBecause !== undefined) this.analyse();
        this.counts.bulkMs = clock.nowMs() - beganAtMs;
      } catch (error) {
        if (this.#isReadingWell) log.warn('failed-to-read-desired', { reason: (error as Error).message });
        this.#isReadingWell = false;
        this.#later(READ_AGAIN_MS, () => this.refresh());
        return;
      }
    } while (this.#readAgain && !this.#stop.signal.aborted);
  }

  /** Reads what a predecessor noted, then writes down what changed. */
  #takeNotes(): Promise<void> {
    this.#noting ??= this.#note().finally(() => {
      this.#noting = undefined;
    });
    return this.#noting;
  }

  async #note(): Promise<void> {
    const { notebook, leadership, log } = this.#options;
    try {
      if (!this.#isRecalled) {
        this.world.recall(await notebook.read());
        this.#isRecalled = true;
      }
      if (!leadership.isLeader()) return;
      const notes = this.world.notes();
      const text = JSON.stringify(notes);
      if (text === this.#noted) return;
      await notebook.write(notes, leadership.term());
      this.#noted = text;
      this.#isNotingWell = true;
    } catch (error) {
      if (this.#isNotingWell) log.warn('failed-to-take-notes', { reason: (error as Error).message });
      this.#isNotingWell = false;
    }
  }

  #heardOfBus(isConnected: boolean): void {
    if (isConnected) this.#options.bus.publish(subjects.healthManagerStart, [], {});
    else this.world.loseContact();
  }

  /** A crash is answered without waiting for the next analysis. */
  #healAtOnce(droplet: string): void {
    const { clock, leadership } = this.#options;
    const nowMs = clock.nowMs();
    const facts = this.world.factsOf(droplet);
    if (!facts || !this.#isFresh(nowMs) || !leadership.isLeader()) return;
    for (const plan of this.#decide([facts], nowMs)) this.#ask(plan, nowMs);
  }

  #decide(facts: Iterable<ProcessFacts>, nowMs: number): Plan[] {
    return reconcileAll(facts, nowMs, this.#policy);
  }

  /** Does not leave the moment of freshness to the next analysis, which may be a second away. */
  #analyseWhenFresh(nowMs: number): void {
    const freshness = this.#freshness(nowMs);
    if (freshness.isFresh || freshness.inMs === undefined || this.#isAwaitingFreshness) return;
    this.#isAwaitingFreshness = true;
    this.#later(freshness.inMs, () => {
      this.#isAwaitingFreshness = false;
      this.analyse();
    });
  }

  #later(ms: number, task: () => unknown): void {
    const { clock } = this.#options;
    void slept(clock, ms, this.#stop.signal).then((isTime) => isTime && task());
  }

  #isFresh(nowMs: number): boolean {
    const { log } = this.#options;
    const result = this.#freshness(nowMs);
    if (result.isFresh !== (this.#staleBecause === undefined)) {
      log.info(result.isFresh ? 'became-fresh' : 'became-stale', result.isFresh ? {} : { because: result.because });
    }
    this.#staleBecause = result.isFresh ? undefined : result.because;
    return result.isFresh;
  }

  #freshness(nowMs: number): Freshness {
    const intervalMs = this.#policy.heartbeatLostMs;
    const desiredMaxAgeMs = Math.max(30_000, 3 * this.#options.config.desiredRefreshMs);
    return this.#isRecalled
      ? freshness(this.world.freshnessFacts, nowMs, { intervalMs, desiredMaxAgeMs })
      : { isFresh: false, because: 'the notes of the one before were not read yet' };
  }

  /** Asks for the starts and stops of one process and notes that it did. */
  #ask(plan: Plan, nowMs: number): void {
    const { bus, log, leadership } = this.#options;
    const { droplet, desired, actions, running, serving } = plan;
    const starts = actions.filter((action) => action.kind === 'start');
    const stops = actions.filter((action) => action.kind === 'stop');
    const common = { droplet, version: desired?.version ?? '', last_updated: desired?.updatedAtS ?? 0 };
    const term = leadership.term();
    if (starts.length > 0) {
      const indices = starts.map(({ index }) => index);
      const flapping = starts.some((start) => start.isFlapping);
      bus.publish(subjects.healthStart, [], { ...common, running, indices, flapping, term });
      this.counts.startsSent += 1;
    }
    if (stops.length > 0) {
      const instances = Object.fromEntries(stops.map(({ instance, version }) => [instance, version]));
      bus.publish(subjects.healthStop, [], { ...common, running: serving, instances, term });
      this.counts.stopsSent += 1;
    }
    for (const action of actions) log.info(`asked-to-${action.kind}`, { droplet, ...action });
    this.world.noteAsked(plan, nowMs);
  }

  /** Silent for a process it does not know, as the protocol has it. */
  #answerStatus(
    request: PayloadOf<typeof subjects.healthManagerStatus>,
    { respond }: Message<ReplyOf<typeof subjects.healthManagerStatus>>,
  ): void {
    this.counts.statusAsked += 1;
    const facts = this.world.factsOf(request.droplet);
    if (!facts?.desired || (request.version !== undefined && request.version !== facts.desired.version)) return;
    if (request.state === 'FLAPPING') {
      const flapping = [...(facts.crashes ?? [])].filter(([, crash]) => isFlapping(crash, this.#policy));
      respond({ indices: flapping.map(([index, crash]) => ({ index, since: Math.floor(crash.lastAtMs / 1000) })) });
    } else if (request.state === 'CRASHED') {
      const crashed = facts.actual.filter(({ state }) => state === 'CRASHED');
      respond({
        instances: crashed.map(({ instance, sinceMs }) => ({ instance, since: Math.floor(sinceMs / 1000) })),
      });
    }
  }

  #answerHealth(
    request: PayloadOf<typeof subjects.healthManagerHealth>,
    { respond }: Message<ReplyOf<typeof subjects.healthManagerHealth>>,
  ): void {
    this.counts.healthAsked += 1;
    for (const { droplet, version } of request.droplets) {
      const facts = this.world.factsOf(droplet);
      if (!facts?.desired) continue;
      const wanted = version ?? facts.desired.version;
      const running = facts.actual.filter((one) => one.state === 'RUNNING' && one.version === wanted);
      respond({ droplet, version: wanted, healthy: new Set(running.map(({ index }) => index)).size });
    }
  }
}
