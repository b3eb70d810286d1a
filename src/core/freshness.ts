/** What is known of the age of the two halves that are compared. Epoch ms; undefined = never. */
export type FreshnessFacts = {
  /** Since when heartbeats have been heard without a break. */
  readonly heartbeatsSinceMs: number | undefined;
  readonly lastHeartbeatMs: number | undefined;
  /**
   * How often the DEAs say that they speak, when every DEA that may have instances was heard since
   * `heartbeatsSinceMs` and said so; undefined otherwise.
   */
  readonly allHeardEveryMs: number | undefined;
  /** When the desired state was last read in full. */
  readonly desiredReadMs: number | undefined;
};

export type FreshnessPolicy = {
  /** Heartbeats must have come for this long before they are believed to be all; also the longest silence. */
  readonly intervalMs: number;
  /** The oldest desired state that is acted on. */
  readonly desiredMaxAgeMs: number;
};

/** `inMs`: when it will be fresh if all goes on as it is; undefined when that can't be said. */
export type Freshness =
  | { readonly isFresh: true }
  | { readonly isFresh: false; readonly because: string; readonly inMs?: number };

/** Intervals within which whoever can be heard has spoken twice: when the health manager asked, and by itself. */
const ROUNDS = 1.25;

/**
 * May the comparison be acted on? Not at the first heartbeat: until a whole interval has passed, a DEA that has not
 * spoken yet looks like a lost one. When all that are known of have spoken, it is enough that every other one could
 * have spoken twice.
 */
export function freshness(facts: FreshnessFacts, nowMs: number, policy: FreshnessPolicy): Freshness {
  const { heartbeatsSinceMs, lastHeartbeatMs, desiredReadMs, allHeardEveryMs } = facts;
  if (desiredReadMs === undefined) return stale('the desired state was not read yet');
  const ageMs = nowMs - desiredReadMs;
  if (ageMs > policy.desiredMaxAgeMs) return stale(`the desired state is ${ageMs} ms old`);
  if (heartbeatsSinceMs === undefined || lastHeartbeatMs === undefined) return stale('no heartbeat was heard yet');
  const silentMs = nowMs - lastHeartbeatMs;
  if (silentMs > policy.intervalMs) return stale(`no DEA was heard for ${silentMs} ms`);
  const heardMs = nowMs - heartbeatsSinceMs;
  const roundsMs = allHeardEveryMs === undefined ? policy.intervalMs : ROUNDS * allHeardEveryMs;
  const neededMs = Math.min(roundsMs, policy.intervalMs);
  if (heardMs < neededMs) return { ...stale(`heartbeats were heard for ${heardMs} ms only`), inMs: neededMs - heardMs };
  return { isFresh: true };
}

/** Since when heartbeats are unbroken, given that one was just heard. */
export function heartbeatsSince(
  before: Pick<FreshnessFacts, 'heartbeatsSinceMs' | 'lastHeartbeatMs'>,
  nowMs: number,
  intervalMs: number,
): number {
  const { heartbeatsSinceMs, lastHeartbeatMs } = before;
  const isUnbroken = lastHeartbeatMs !== undefined && nowMs - lastHeartbeatMs <= intervalMs;
  return isUnbroken ? (heartbeatsSinceMs ?? nowMs) : nowMs;
}

const stale = (because: string) => ({ isFresh: false, because }) as const;
