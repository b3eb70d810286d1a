import { type ErrorName, errorTable } from '../contract/errors.ts';
import { stagingInterrupted } from '../contract/messages/staging.ts';
import { subjects } from '../contract/subjects.ts';
import type { Controller, ControllerTx } from './api/controller.ts';
import { sayToApp } from './app-log.ts';
import { expireOldContent } from './droplet-expiry.ts';
import type { StagerDirectory } from './stager-directory.ts';
import { type Failure, failure, StagingOffer } from './staging-offer.ts';
import type { StagingResult } from './staging-result.ts';
import { getApp } from './store/app.ts';
import { recordEvent } from './store/audit-event.ts';
import { type BuildRow, findBuild, listOpenBuilds, lockBuild, updateBuild } from './store/build.ts';
import { deleteDroplet, updateDroplet } from './store/droplet.ts';

/** A stager that restarts is back sooner. */
const PATIENCE_MS = 30_000;
/** A build whose stager went oftener has to do with it. */
const MAX_INTERRUPTIONS = 2;

/** Gives builds to stagers and brings their results home. A build's row is the truth; it ends once. */
export class Staging {
  readonly #controller: Controller;
  readonly #stagers: StagerDirectory;
  readonly #running = new Map<string, Promise<void>>();
  readonly #patienceMs: number;
  readonly #stop = new AbortController();

  /** @param options `patienceMs`: how long a build waits for a stager or the bus to come back */
  constructor(controller: Controller, stagers: StagerDirectory, options: { patienceMs?: number } = {}) {
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#controller = controller;
    this.#stagers = stagers;
  }

  /** Finds a stager for a committed build, in the background; a build that nobody takes fails and says why. */
  begin(buildGuid: string): void {
    if (this.#running.has(buildGuid)) return;
    const run = this.#dispatch(buildGuid).finally(() => this.#running.delete(buildGuid));
    this.#running.set(buildGuid, run);
  }

  /** Resolves when every build that was begun has found its stager, or failed. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Ends the search for stagers; the builds stay open for the next controller. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.idle();
  }

  /** Takes a stager's result; does nothing when the build has ended already. */
  async complete(result: StagingResult): Promise<void> {
    if (result.error_info?.type === stagingInterrupted)
      return this.#interrupted(result.task_id, result.error_info.message);
    const failure = failureOf(result);
    if (failure) return this.fail(result.task_id, failure);
    const build = await findBuild(this.#controller.db, result.task_id);
    if (build?.state !== 'STAGING' || build.droplet_guid === null) return;
    const key = `droplets/${build.droplet_guid}`;
    const blob = await this.#controller.blobs.stat(key);
    if (!blob) return this.fail(build.guid, staging('the stager did not upload the droplet'));
    if (result.droplet_sha256 !== undefined && result.droplet_sha256 !== blob.sha256) {
      return this.fail(build.guid, staging('the droplet was damaged on its way; push or restage again'));
    }
    const isFirst = await this.#controller.db.transaction().execute(async (tx) => {
      const open = await lockBuild(tx, build.guid);
      if (open?.state !== 'STAGING' || open.droplet_guid === null) return false;
      const { bytes, sha1, sha256 } = blob;
      await updateDroplet(tx, open.droplet_guid, {
        state: 'STAGED',
        process_types: JSON.stringify(processTypesOf(result)),
        buildpacks: JSON.stringify(buildpacksOf(result)),
        ...{ bytes, sha1, sha256 },
      });
      await updateBuild(tx, build.guid, { state: 'STAGED', error: null });
      await this.#event(tx, open, 'audit.app.build.staged');
      await this.#event(tx, open, 'audit.app.droplet.create');
      return true;
    });
    if (!isFirst) return;
    await this.#say(build, `Staging complete for build ${build.guid}`);
    await this.#expire(build.app_guid);
  }

  /** Ends a build that can't succeed any more; does nothing when it has ended already. */
  async fail(buildGuid: string, { kind, text }: Failure): Promise<void> {
    const { db, blobs, log } = this.#controller;
    const failed = await db.transaction().execute(async (tx) => {
      const build = await lockBuild(tx, buildGuid);
      if (build?.state !== 'STAGING') return undefined;
      await updateBuild(tx, buildGuid, { state: 'FAILED', error: `${kind} - ${text}`, droplet_guid: null });
      if (build.droplet_guid !== null) await deleteDroplet(tx, build.droplet_guid);
      await this.#event(tx, build, 'audit.app.build.failed');
      return build;
    });
    if (!failed) return;
    log.info('failed-build', { buildGuid, kind, because: text });
    await this.#say(failed, `Staging failed for build ${buildGuid}: ${text}`);
    if (failed.droplet_guid !== null) await blobs.delete(`droplets/${failed.droplet_guid}`);
    await this.#expire(failed.app_guid);
  }

  /** A build whose stager went is given to the next one, a few times. */
  async #interrupted(buildGuid: string, because: string): Promise<void> {
    const { db, log } = this.#controller;
    const again = await db.transaction().execute(async (tx) => {
      const build = await lockBuild(tx, buildGuid);
      if (build?.state !== 'STAGING' || build.interruptions >= MAX_INTERRUPTIONS) return undefined;
      const interruptions = build.interruptions + 1;
      await updateBuild(tx, buildGuid, { stager: null, offered_at: null, interruptions });
      return build;
    });
    if (!again)
      return this.fail(buildGuid, staging(`${because}, ${MAX_INTERRUPTIONS + 1} times; push or restage again`));
    log.info('restarted-build', { buildGuid, because });
    await this.#say(again, `${because} while it staged build ${buildGuid}; staging again`);
    this.begin(buildGuid);
  }

  /** Ends an app's open builds and tells the stagers to stop. */
  async cancel(appGuid: string, because: string, buildGuid?: string): Promise<void> {
    for (const build of await listOpenBuilds(this.#controller.db, appGuid)) {
      if (buildGuid !== undefined && build.guid !== buildGuid) continue;
      await this.fail(build.guid, staging(because));
      this.stop(appGuid, build.guid);
    }
  }

  /** Tells stagers to stop working on a build. */
  stop(appGuid: string, buildGuid: string): void {
    this.#controller.bus.publish(subjects.stagingStop, [], { app_id: appGuid, task_id: buildGuid });
  }

  async #dispatch(buildGuid: string): Promise<void> {
    const { signal: stop } = this.#stop;
    const offer = new StagingOffer({
      controller: this.#controller,
      stagers: this.#stagers,
      patienceMs: this.#patienceMs,
      stop,
    });
    try {
      const failed = await offer.make(buildGuid);
      if (failed) await this.fail(buildGuid, failed);
    } catch (error) {
      // The build stays open; the watch of this controller or of another offers it again.
      if (!stop.aborted) this.#controller.log.error('failed-to-dispatch-build', { buildGuid, error });
    }
  }

  /** What can't be removed now is with the end of the app's next build. */
  async #expire(appGuid: string): Promise<void> {
    try {
      await expireOldContent(this.#controller, appGuid);
    } catch (error) {
      this.#controller.log.warn('failed-to-expire-content', { appGuid, error });
    }
  }

  async #event(tx: ControllerTx, build: BuildRow, type: string): Promise<void> {
    const app = await getApp(tx, build.app_guid);
    await recordEvent(tx, {
      guid: this.#controller.random.guid(),
      type,
      actor: { guid: build.created_by_guid, type: 'user', name: build.created_by_name ?? build.created_by_guid },
      target: { guid: app.guid, type: 'app', name: app.name },
      spaceGuid: app.space_guid,
      data: { build_guid: build.guid, package_guid: build.package_guid },
    });
  }

  async #say(build: BuildRow, text: string): Promise<void> {
    sayToApp(this.#controller, await getApp(this.#controller.db, build.app_guid), { text });
  }
}

const isErrorName = (kind: string): kind is ErrorName => kind in errorTable;
const staging = (detail: string) => failure('StagingError', detail);

/** What a result says went wrong, in the words that clients look for, with the stager's own after them. */
function failureOf(result: StagingResult): Failure | undefined {
  const { error, error_info: info } = result;
  if (!info) return error === null ? undefined : staging(error);
  if (!isErrorName(info.type)) return { kind: info.type, text: info.message };
  const known = errorTable[info.type].text;
  if (known.includes('%s')) {
    const [before = ''] = known.split('%s');
    // The stager's own errors bear these words already.
    const isWhole = before !== '' && info.message.startsWith(before);
    return isWhole ? { kind: info.type, text: info.message } : failure(info.type, info.message);
  }
  const isMore = info.message !== '' && !known.includes(info.message) && !info.message.startsWith(known);
  return {
    kind: info.type,
    text: info.message.startsWith(known) ? info.message : isMore ? `${known}. ${info.message}` : known,
  };
}

function processTypesOf(result: StagingResult): Record<string, string> {
  const { detected_start_command: command, procfile } = result;
  return { ...(command ? { web: command } : {}), ...procfile };
}

function buildpacksOf(result: StagingResult) {
  if (result.buildpacks) return result.buildpacks;
  const name = result.buildpack_key ?? result.detected_buildpack;
  if (name === null) return [];
  const detect_output = result.detected_buildpack ?? '';
  return [{ name, buildpack_name: name, detect_output, version: null }];
}
