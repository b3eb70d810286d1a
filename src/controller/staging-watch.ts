import { expiredBuilds, strandedBuilds } from '../core/build-expiry.ts';
import type { Part } from '../platform/lifecycle.ts';
import { part } from '../platform/lifecycle.ts';
import type { Controller } from './api/controller.ts';
import type { StagerDirectory } from './stager-directory.ts';
import type { Staging } from './staging.ts';
import { listOpenBuilds } from './store/build.ts';

const INTERVAL_MS = 5000;

/** Ends builds that nobody works on any more, and offers those again that no stager took: none stays STAGING for ever. */
export class StagingWatch {
  readonly #controller: Controller;
  readonly #staging: Staging;
  readonly #stagers: StagerDirectory;

  constructor(controller: Controller, services: { staging: Staging; stagers: StagerDirectory }) {
    this.#controller = controller;
    this.#staging = services.staging;
    this.#stagers = services.stagers;
  }

  part(): Part {
    const { clock, log } = this.#controller;
    return part('staging watch', () => {
      const timer = clock.every(INTERVAL_MS, async () => {
        try {
          await this.look();
        } catch (error) {
          // The database may be away for a moment; the next look finds the same builds.
          log.warn('failed-to-watch-builds', { error });
        }
      });
      return () => timer[Symbol.dispose]();
    });
  }

  async look(): Promise<void> {
    const { db, clock } = this.#controller;
    const { listeningSinceMs } = this.#stagers;
    // Silence means nothing to one that can't hear; another controller may.
    if (listeningSinceMs === undefined) return;
    const open = await listOpenBuilds(db);
    const builds = open.map((build) => ({
      guid: build.guid,
      stager: build.stager ?? undefined,
      sinceMs: build.created_at.getTime(),
      timeoutS: build.timeout_s,
    }));
    const lastSeenMs = this.#stagers.lastSeen(builds.map(({ guid }) => guid));
    const context = { nowMs: clock.nowMs(), listeningSinceMs, lastSeenMs };
    for (const { guid, kind, because } of expiredBuilds(builds, context)) {
      const build = open.find((one) => one.guid === guid);
      await this.#staging.fail(guid, { kind, text: because });
      if (build) this.#staging.stop(build.app_guid, guid);
    }
    for (const guid of strandedBuilds(builds, context)) this.#staging.begin(guid);
  }
}
