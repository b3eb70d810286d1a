import { openFence } from '../container/fence/fence.ts';
import { deaParts } from '../dea/part.ts';
import type { Role } from './role.ts';

/** The DEA on the node's fence. */
export const dea: Role = (boot, bus) => {
  const { clock, random, log, paths } = boot;
  const { fence, dea: limits, staging } = boot.config;
  return deaParts(boot, bus, () =>
    openFence({
      directory: paths.fence,
      pool: 'dea',
      network: fence.network,
      hostPorts: { first: limits.hostPortFirst, last: limits.hostPortLast },
      deniedDestinations: fence.deniedDestinations,
      runtime: fence.runtime,
      storeMb: fence.storeMb,
      ...(staging.caFile ? { caFile: staging.caFile } : {}),
      clock,
      random,
      log,
    }),
  );
};
