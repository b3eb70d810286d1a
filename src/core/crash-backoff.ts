/** How crashes delay restarts. Times in ms. */
export type CrashPolicy = {
  /** Crashes restarted at once. */
  readonly freeCrashes: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Uptime after which earlier crashes are forgotten. */
  readonly resetAfterMs: number;
};

/** What is remembered of the crashes at one index of a process. Epoch ms. */
export type CrashRecord = {
  readonly count: number;
  readonly lastAtMs: number;
  /** The instance that crashed last, so that no crash is counted twice. */
  readonly instance: string;
};

/** Delay before the restart after the `count`th crash in a row, ms: none at first, then doubling up to a cap. */
export function crashDelayMs(count: number, policy: CrashPolicy): number {
  const paid = count - policy.freeCrashes;
  if (paid <= 0) return 0;
  return Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(paid - 1, 52));
}

/**
 * The record after one more crash.
 *
 * @param crash `upMs` is how long the instance had been RUNNING; 0 when it never was
 */
export function countCrash(
  before: CrashRecord | undefined,
  crash: { instance: string; atMs: number; upMs: number },
  policy: CrashPolicy,
): CrashRecord {
  if (before?.instance === crash.instance) return before;
  const isForgotten = crash.upMs >= policy.resetAfterMs;
  return { count: isForgotten ? 1 : (before?.count ?? 0) + 1, lastAtMs: crash.atMs, instance: crash.instance };
}

/** Are the crashes at this index so many that restarts are delayed? */
export function isFlapping(record: CrashRecord | undefined, policy: CrashPolicy): boolean {
  return record !== undefined && record.count > policy.freeCrashes;
}
