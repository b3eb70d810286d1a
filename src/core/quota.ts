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
export type QuotaScope = { readonly limits: QuotaLimits; readonly othersUse: QuotaUsage };

/** Which limits a process would break, in the API's own words; empty when it may go ahead. Space before organization. */
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

function scopeErrors(demand: QuotaDemand, { limits, othersUse }: QuotaScope, texts: typeof spaceTexts): string[] {
  const exceeds = (limit: number | null, value: number) => limit !== null && value > limit;
  const errors: string[] = [];
  if (exceeds(limits.totalMemoryMb, othersUse.memoryMb + demand.memoryMb * demand.instances)) errors.push(texts.memory);
  if (exceeds(limits.processMemoryMb, demand.memoryMb)) errors.push(texts.instanceMemory);
  if (exceeds(limits.totalInstances, othersUse.instances + demand.instances)) errors.push(texts.instances);
  const logRate =
    demand.logRateBytesS < 0
      ? Number.POSITIVE_INFINITY
      : othersUse.logRateBytesS + demand.logRateBytesS * demand.instances;
  if (demand.instances > 0 && exceeds(limits.logRateBytesS, logRate)) errors.push(texts.logRate);
  return errors;
}
