import { type ErrorName, PlatformError } from '../contract/errors.ts';
import type { PayloadOf, ReplyOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { StagerChoice } from '../core/stager-choice.ts';
import type { Controller } from './api/controller.ts';
import type { StagerDirectory } from './stager-directory.ts';
import { stagingRequest } from './staging-request.ts';
import { type BuildRow, claimOffer, findBuild, renewOffer, updateBuild } from './store/build.ts';

/** A stager must take or refuse a build within this. */
const SETUP_TIMEOUT_MS = 5000;
/** A controller that has not said for so long that it looks for a stager has died. */
const LEASE_S = 10;
const LOOK_AGAIN_MS = 250;

type Setup = ReplyOf<typeof subjects.stagingStart>;
export type Failure = { readonly kind: string; readonly text: string };

export type OfferOptions = {
  readonly controller: Controller;
  readonly stagers: StagerDirectory;
  /** How long to wait for a stager that was there a moment ago, or for the bus, ms. */
  readonly patienceMs: number;
  readonly stop: AbortSignal;
};

/** Words of a failure, as errors of the API put them. */
export const failure = (kind: ErrorName, detail: string): Failure => ({
  kind,
  text: new PlatformError(kind, detail).message,
});

/** Looks for a stager that takes a build. */
export class StagingOffer {
  readonly #options: OfferOptions;
  /** Stagers that refused. */
  readonly #refused = new Set<string>();
  /** Stagers that did not answer, and when that was noticed: their next advertisement makes good for it. */
  readonly #silent = new Map<string, number>();
  #because: string | undefined;

  constructor(options: OfferOptions) {
    this.#options = options;
  }

  /** Gives why nobody took it; undefined when somebody did, or it has ended, or another controller is at it. */
  async make(buildGuid: string): Promise<Failure | undefined> {
    const { controller, stagers } = this.#options;
    if (!(await claimOffer(controller.db, buildGuid, LEASE_S))) return undefined;
    const build = await findBuild(controller.db, buildGuid);
    if (!build) return undefined;
    const request = await stagingRequest(controller, build);
    for (;;) {
      const choice = await this.#choose(build);
      if (choice === undefined) return undefined;
      if ('missing' in choice) return this.#unavailable(choice.missing);
      const { id } = choice.stager;
      stagers.reserve(id, build.memory_in_mb);
      if (await this.#give(build, id, request)) return undefined;
      if (!(await renewOffer(controller.db, buildGuid))) return undefined;
    }
  }

  /** Waits while a stager is likely to come; undefined when the build has ended meanwhile. */
  async #choose(build: BuildRow): Promise<StagerChoice | undefined> {
    const { controller, stagers, patienceMs, stop } = this.#options;
    const { clock, db } = controller;
    const startedMs = clock.nowMs();
    let renewAtMs = startedMs;
    for (;;) {
      const except = new Set([...this.#refused, ...this.#stillSilent()]);
      const choice = stagers.choose({ memoryMb: build.memory_in_mb, stack: build.stack, except });
      const isWorthWaiting = 'missing' in choice && choice.isAbsent === true && stagers.mayReturn(patienceMs);
      if (!isWorthWaiting || clock.nowMs() - startedMs >= patienceMs) return choice;
      if (clock.nowMs() >= renewAtMs) {
        if (!(await renewOffer(db, build.guid))) return undefined;
        renewAtMs = clock.nowMs() + (LEASE_S * 1000) / 3;
      }
      await clock.sleep(LOOK_AGAIN_MS, stop);
    }
  }

  #stillSilent(): string[] {
    const heard = new Map(this.#options.stagers.list().map(({ id, heardAtMs }) => [id, heardAtMs]));
    return [...this.#silent].filter(([id, sinceMs]) => (heard.get(id) ?? 0) <= sinceMs).map(([id]) => id);
  }

  #unavailable(missing: string): Failure {
    const { controller, patienceMs } = this.#options;
    if (controller.bus.status() !== 'connected') {
      const text = `the message bus has not answered for ${Math.round(patienceMs / 1000)} s; on the server: kato status nats`;
      return failure('StagingError', `${text}. Push or stage again when it is back`);
    }
    return failure('StagerUnavailable', this.#because === undefined ? missing : `${missing} (${this.#because})`);
  }

  async #give(build: BuildRow, stager: string, request: PayloadOf<typeof subjects.stagingStart>): Promise<boolean> {
    const { controller } = this.#options;
    const { db, log, clock } = controller;
    const setup = await this.#send(stager, request);
    if (setup && !setup.error) {
      log.info('gave-build', { buildGuid: build.guid, stager });
      const open = await findBuild(db, build.guid);
      if (open?.state === 'STAGING') await updateBuild(db, build.guid, { stager });
      else this.#stop(build);
      return true;
    }
    this.#because = setup?.error ?? `stager ${stager} did not answer within ${SETUP_TIMEOUT_MS / 1000} s`;
    log.warn('refused-build', { buildGuid: build.guid, stager, because: this.#because });
    if (setup) this.#refused.add(stager);
    else {
      this.#stop(build);
      this.#silent.set(stager, clock.nowMs());
    }
    return false;
  }

  async #send(stager: string, request: PayloadOf<typeof subjects.stagingStart>): Promise<Setup | undefined> {
    const { bus, log } = this.#options.controller;
    try {
      const options = { timeoutMs: SETUP_TIMEOUT_MS };
      const [setup] = await bus.request(subjects.stagingStart, [stager], request, options);
      return setup;
    } catch (error) {
      // The bus is away: the stager may have heard it or not, as when it stays silent.
      log.warn('failed-to-offer-build', { buildGuid: request.task_id, stager, error });
      return undefined;
    }
  }

  #stop({ app_guid, guid }: BuildRow): void {
    this.#options.controller.bus.publish(subjects.stagingStop, [], { app_id: app_guid, task_id: guid });
  }
}
