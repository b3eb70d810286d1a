import { formatMb } from '../contract/units.ts';

const MAKE_ROOM = 'stop or scale down an app, or ask an administrator for a larger quota';

/** Limits of an organization's or a space's quota; null means unlimited. MB and bytes a second. */
export type QuotaLimits = {
  readonly totalMemoryMb: number | null;
  readonly processMemoryMb: number | null;
  readonly totalInstances: number | null;
  readonly logRateBytesS: number | null;
};

/** What the started processes of an organization or a space use together. */
export type QuotaUsage = {
  readonly memoryMb: number;
  readonly instances: number;
  readonly logRateBytesS: number;
};

/** What one process would use; a log rate of -1 is unlimited. */
export type QuotaDemand = {
  readonly memoryMb: number;
  readonly instances: number;
  readonly logRateBytesS: number;
};

/** A quota with what is used of it by everything but the process in question. */
export type QuotaScope = {
  /** Whose it is, for people: `organization 'acme'`. */
  readonly owner: string;
  readonly limits: QuotaLimits;
  readonly othersUse: QuotaUsage;
};

/**
 * Which limits a process would break; empty when it may go ahead. Space before organization. Each begins with the API's
 * own words, then tells the limit, what is used and asked for, and what can be done.
 */
export function quotaErrors(
  demand: QuotaDemand,
  scopes: { readonly space?: QuotaScope; readonly organization?: QuotaScope },
): string[] {
  return [
    ...(scopes.space ? scopeErrors(demand, scopes.space, spaceTexts) : []),
    ...(scopes.organization ? scopeErrors(demand, scopes.organization, organizationTexts) : []),
  ];
}

const spaceTexts = {
  memory: 'memory space_quota_exceeded',
  instanceMemory: 'memory space_instance_memory_limit_exceeded',
  instances: 'app_instance_limit space_app_instance_limit_exceeded',
  logRate: 'log_rate_limit exceeds space log rate quota',
};
const organizationTexts = {
  memory: 'memory quota_exceeded',
  instanceMemory: 'memory instance_memory_limit_exceeded',
  instances: 'app_instance_limit app_instance_limit_exceeded',
  logRate: 'log_rate_limit exceeds organization log rate quota',
};

function scopeErrors(
  demand: QuotaDemand,
  { owner, limits, othersUse }: QuotaScope,
  words: typeof spaceTexts,
): string[] {
  const { memoryMb, instances, logRateBytesS } = demand;
  const errors: string[] = [];
  const check = (limit: number | null, value: number, say: (limit: number) => string) => {
    if (limit !== null && value > limit) errors.push(say(limit));
  };
  const all = memoryMb * instances;
  const each = instances === 1 ? '' : ` (${instances} instances of ${formatMb(memoryMb)})`;
  check(limits.totalMemoryMb, othersUse.memoryMb + all, (limit) => {
    const used = `${formatMb(othersUse.memoryMb)} is used by others`;
    return `${words.memory}: ${owner} may use ${formatMb(limit)}, ${used}, ${formatMb(all)} was asked for${each}; ${MAKE_ROOM}`;
  });
  check(limits.processMemoryMb, memoryMb, (limit) => {
    const asked = `${formatMb(memoryMb)} was asked for`;
    return `${words.instanceMemory}: an instance in ${owner} may use ${formatMb(limit)}, ${asked}; ask for less`;
  });
  check(limits.totalInstances, othersUse.instances + instances, (limit) => {
    const used = `${othersUse.instances} are used by others, ${instances} were asked for`;
    return `${words.instances}: ${owner} may have ${limit} instances, ${used}; ${MAKE_ROOM}`;
  });
  if (instances === 0) return errors;
  const isUnlimited = logRateBytesS < 0;
  const rate = isUnlimited ? Number.POSITIVE_INFINITY : othersUse.logRateBytesS + logRateBytesS * instances;
  check(limits.logRateBytesS, rate, (limit) => {
    const asked = isUnlimited ? 'no limit' : `${logRateBytesS * instances}`;
    const used = `${othersUse.logRateBytesS} are used by others, ${asked} was asked for`;
    return `${words.logRate}: ${owner} may log ${limit} bytes a second, ${used}; give the app a lower log rate limit`;
  });
  return errors;
}
