import type { StagerOffer } from './stager-choice.ts';

/** A build in state STAGING, as the database knows it. */
export type OpenBuild = {
  readonly guid: string;
  /** Undefined until a stager accepted it. */
  readonly stager: string | undefined;
  /** Epoch ms of the last change of its state. */
  readonly sinceMs: number;
  readonly timeoutS: number;
};

/** A build without its stager is given up after this. */
export const lostStagerMs = 30_000;
/** Time beyond a build's own limit that its stager has to say so itself. */
export const staleMarginMs = 60_000;

/** A stager advertises each few seconds what it works on. */
export const strandedMs = 6000;

/** Epoch ms. */
type Surroundings = {
  readonly nowMs: number;
  readonly listeningSinceMs: number;
  readonly lastSeenMs: ReadonlyMap<string, number>;
};

export type ExpiredBuild = { readonly guid: string; readonly kind: string; readonly because: string };

/**
 * Builds that nobody works on any more, and why.
 *
 * @param lastSeenMs when a stager last said that it stages this build, epoch ms
 */
export function expiredBuilds(builds: readonly OpenBuild[], context: Surroundings): ExpiredBuild[] {
  return builds.flatMap((build) => {
    const limitMs = build.timeoutS * 1000 + staleMarginMs;
    if (context.nowMs - build.sinceMs > limitMs) {
      const because = `Staging time expired: no result within ${build.timeoutS} s`;
      return [{ guid: build.guid, kind: 'StagingTimeExpired', because }];
    }
    // Without a stager it is offered again, see `strandedBuilds`.
    if (build.stager === undefined) return [];
    const seenMs = Math.max(build.sinceMs, context.listeningSinceMs, context.lastSeenMs.get(build.guid) ?? 0);
    if (context.nowMs - seenMs <= lostStagerMs) return [];
    const because = 'Staging error: the stager was lost; push or restage again';
    return [{ guid: build.guid, kind: 'StagingError', because }];
  });
}

/**
 * Builds that no stager took, as far as is known: whoever offered them may have died before, or after a stager took it
 * and before that was written down. Then the stager names it within `strandedMs`.
 */
export function strandedBuilds(builds: readonly OpenBuild[], context: Surroundings): string[] {
  return builds
    .filter(({ stager }) => stager === undefined)
    .filter(({ guid }) => context.nowMs - (context.lastSeenMs.get(guid) ?? 0) > lostStagerMs)
    .filter(({ sinceMs }) => context.nowMs - Math.max(sinceMs, context.listeningSinceMs) > strandedMs)
    .map(({ guid }) => guid);
}

/** When each build was last heard of, from what stagers said. */
export function sightings(offers: readonly StagerOffer[], before: ReadonlyMap<string, number>): Map<string, number> {
  const seen = new Map(before);
  for (const offer of offers) {
    for (const task of offer.tasks) seen.set(task, Math.max(offer.heardAtMs, seen.get(task) ?? 0));
  }
  return seen;
}
