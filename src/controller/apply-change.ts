import { isDeepStrictEqual } from 'node:util';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { type AppEffect, type DesiredProcess, effectsOfChange } from '../core/app-change.ts';
import { formatRejection } from '../core/placement.ts';
import type { Controller, ControllerDb, ControllerTx } from './api/controller.ts';
import { LaunchPlan } from './apply-change-launch.ts';
import type { DeaDirectory } from './dea-directory.ts';
import type { PlacementNews } from './placement-news.ts';
import { type AppRow, lockApp } from './store/app.ts';
import { readLaunchFacts } from './store/app-launch.ts';
import { withRoutes } from './store/app-lock.ts';
import { listAddresses, readDesired } from './store/process.ts';

/** Longest wait for the bus to take what was said. */
const FLUSH_MS = 2000;

type Start = PayloadOf<typeof subjects.deaStart>;

/** DEAs that gave a start back, and why the last of them did. */
export type Refusal = { readonly refusedBy: readonly string[]; readonly because: string };

/** Changes desired state in the database, and tells DEAs once it is committed. */
export class ChangeApplier {
  readonly #controller: Controller;
  readonly #deas: DeaDirectory;
  readonly #news: PlacementNews;
  /** The last announcement of each app's routes, so that the next one waits for it. */
  readonly #routing = new Map<string, Promise<void>>();

  constructor(controller: Controller, directories: { deas: DeaDirectory; news: PlacementNews }) {
    this.#controller = controller;
    this.#deas = directories.deas;
    this.#news = directories.news;
  }

  /**
   * Runs a change of one app in a transaction in which nobody else changes it, then brings running instances in line.
   * What can't be placed now is shown in the instances' details, and the health manager asks again.
   *
   * @throws PlatformError 404 when the app does not exist; whatever `change` throws undoes everything
   */
  async change<T>(appGuid: string, change: (tx: ControllerTx, app: AppRow) => Promise<T>): Promise<T> {
    const done = await this.#controller.db.transaction().execute(async (tx) => {
      const app = await lockApp(tx, appGuid);
      const before = await readDesired(tx, appGuid);
      const result = await change(tx, app);
      const after = await readDesired(tx, appGuid);
      const effects = pairs(before, after).flatMap(([old, now]) => effectsOfChange(old, now));
      const isLaunch = effects.some(({ kind }) => kind === 'start' || kind === 'route');
      const plan = isLaunch ? new LaunchPlan(this.#controller, await readLaunchFacts(tx, appGuid)) : undefined;
      return { result, effects, plan };
    });
    for (const effect of done.effects) this.#apply(effect, done.plan);
    if (done.plan) await this.#correctRoutes(appGuid, done.plan);
    return done.result;
  }

  /** Tells running instances their addresses, after routes changed; what is said last is what was committed last. */
  async sendRoutes(appGuid: string): Promise<void> {
    const turn = (this.#routing.get(appGuid) ?? Promise.resolve()).then(() => this.#readAndSendRoutes(appGuid));
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#routing.set(appGuid, settled);
    try {
      await turn;
    } finally {
      if (this.#routing.get(appGuid) === settled) this.#routing.delete(appGuid);
    }
  }

  /** One controller after another, so that none says what it read before another's later change was said. */
  #readAndSendRoutes(appGuid: string): Promise<void> {
    const { db, bus, clock } = this.#controller;
    return withRoutes(db, appGuid, async (tx) => {
      const protocols = await this.#protocols(tx, appGuid);
      for (const desired of await readDesired(tx, appGuid)) {
        if (desired.isStarted && desired.instances > 0) this.#sendRoutes(desired, protocols);
      }
      // While the bus is away nobody else is heard before us either.
      if (bus.status() === 'connected') await Promise.race([bus.flush(), clock.sleep(FLUSH_MS)]);
    });
  }

  /** What was just said of an app's routes may be older than what another controller said in between. */
  async #correctRoutes(appGuid: string, plan: LaunchPlan): Promise<void> {
    const { db, log } = this.#controller;
    try {
      if (!isDeepStrictEqual(plan.protocols(), await this.#protocols(db, appGuid))) await this.sendRoutes(appGuid);
    } catch (error) {
      // The change itself is committed and said.
      log.error('failed-to-correct-routes', { app: appGuid, error });
    }
  }

  /** Starts indices of a started process of the current version, as the health manager asks. */
  async startIndices(appGuid: string, process: string, indices: readonly number[]): Promise<void> {
    const plan = new LaunchPlan(this.#controller, await readLaunchFacts(this.#controller.db, appGuid));
    for (const index of indices) this.#start(plan, process, index);
    await this.#correctRoutes(appGuid, plan);
  }

  /** Starts an index that a DEA gave back on one that did not. */
  async startElsewhere(appGuid: string, at: { process: string; index: number }, refusal: Refusal): Promise<void> {
    const plan = new LaunchPlan(this.#controller, await readLaunchFacts(this.#controller.db, appGuid));
    this.#start(plan, at.process, at.index, refusal);
    await this.#correctRoutes(appGuid, plan);
  }

  stopInstances(process: string, instances: readonly string[]): void {
    this.#controller.bus.publish(subjects.deaStop, [], { droplet: process, instances: [...instances] });
  }

  #apply(effect: AppEffect, plan: LaunchPlan | undefined): void {
    const { bus, log } = this.#controller;
    const { process } = effect;
    log.debug('applied-change', { ...effect });
    if (effect.kind === 'stop-all') bus.publish(subjects.deaStop, [], { droplet: process });
    if (effect.kind === 'stop-version') {
      bus.publish(subjects.deaStop, [], { droplet: process, version: effect.version });
    }
    if (effect.kind === 'stop-indices') {
      const { version, indices } = effect;
      bus.publish(subjects.deaStop, [], { droplet: process, version, indices: [...indices] });
    }
    if (effect.kind === 'route') {
      const { version, uris } = effect;
      const protocols = plan?.protocols() ?? {};
      bus.publish(subjects.deaUpdate, [], { droplet: process, version, uris: [...uris], route_protocols: protocols });
    }
    if (effect.kind === 'announce') bus.publish(subjects.dropletUpdated, [], { droplet: process });
    if (effect.kind === 'start' && plan) for (const index of effect.indices) this.#start(plan, process, index);
  }

  #start(plan: LaunchPlan, process: string, index: number, refusal?: Refusal): void {
    const { bus, log } = this.#controller;
    const start: Start | undefined = plan.message(process, index);
    if (!start) return;
    const need = { process, memoryMb: start.limits.mem, diskMb: start.limits.disk, stack: start.stack, ...plan.zone() };
    const { mem: memory, disk } = start.limits;
    const about = { droplet: process, version: start.version, index, memory, disk };
    const placement = this.#deas.place(need, refusal?.refusedBy);
    if ('rejected' in placement) {
      const text = refusal ? `no DEA could take it: ${refusal.because}` : formatRejection(placement.rejected, need);
      this.#news.tell({ ...about, refusal: text });
      log.warn('refused-placement', { process, index, because: text });
      plan.say(`Could not place instance ${index} of process "${plan.typeOf(process)}": ${text}`);
      return;
    }
    this.#news.tell({ ...about, dea: placement.dea.id });
    log.info('placed-instance', { process, index, dea: placement.dea.id, because: placement.because });
    const x = refusal && start.x ? { x: { ...start.x, refused_by: [...refusal.refusedBy] } } : {};
    bus.publish(subjects.deaStart, [placement.dea.id], { ...start, ...x });
  }

  #sendRoutes(desired: DesiredProcess, protocols: Record<string, string>): void {
    this.#controller.bus.publish(subjects.deaUpdate, [], {
      droplet: desired.process,
      version: desired.version,
      uris: [...desired.uris],
      route_protocols: protocols,
    });
  }

  async #protocols(db: ControllerDb, appGuid: string): Promise<Record<string, string>> {
    const addresses = await listAddresses(db, appGuid);
    return Object.fromEntries(addresses.map(({ uri, protocol }) => [uri, protocol]));
  }
}

function pairs(
  before: readonly DesiredProcess[],
  after: readonly DesiredProcess[],
): [DesiredProcess | undefined, DesiredProcess | undefined][] {
  const guids = new Set([...before, ...after].map(({ process }) => process));
  const of = (list: readonly DesiredProcess[], guid: string) => list.find(({ process }) => process === guid);
  return [...guids].map((guid) => [of(before, guid), of(after, guid)]);
}
