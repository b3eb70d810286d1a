/** Failed logins of one name, as remembered between attempts. */
export type LoginFailures = {
  readonly count: number;
  /** Epoch, ms. */
  readonly lastAtMs: number;
};

export type LockoutPolicy = {
  /** Failures in a row after which a name is locked. */
  readonly failures: number;
  /** How long the lock lasts, and after how long without a failure they are forgotten; ms. */
  readonly lockoutMs: number;
};

/** How much longer a name is locked, ms; 0 when it may try. */
export function lockedForMs(failures: LoginFailures | undefined, policy: LockoutPolicy, nowMs: number): number {
  if (!failures || failures.count < policy.failures) return 0;
  return Math.max(0, failures.lastAtMs + policy.lockoutMs - nowMs);
}

/** What to remember after one more failure; failures older than the lock are forgotten. */
export function afterFailure(failures: LoginFailures | undefined, policy: LockoutPolicy, nowMs: number): LoginFailures {
  const isFresh = failures !== undefined && nowMs - failures.lastAtMs < policy.lockoutMs;
  return { count: isFresh ? failures.count + 1 : 1, lastAtMs: nowMs };
}
