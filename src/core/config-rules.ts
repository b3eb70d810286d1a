import type { ClusterConfig } from '../contract/config.ts';
import { readDrain } from './log-drain.ts';

/** Why settings that are each right can't be together; undefined when they can. */
export function configFault(config: ClusterConfig): string | undefined {
  return portsFault(config) ?? rangesFault(config) ?? drainsFault(config);
}

/** Programs of one node that listen at the same address. */
function portsFault({ controller, aok, logyard, primary, bus, link, router, balancer }: ClusterConfig) {
  const shared: Record<string, number> = {
    'bus.port': bus.port,
    'controller.port': controller.port,
    'aok.port': aok.port,
    'logyard.port': logyard.port,
    'primary.supervisorPort': primary.supervisorPort,
    'link.registryPort': link.registryPort,
    'link.joinPort': link.joinPort,
    'link.databasePort': link.databasePort,
    'link.instancePort': link.instancePort,
    'router.httpPort': router.httpPort,
    'router.httpsPort': router.httpsPort,
  };
  const front = { 'balancer.httpPort': balancer.httpPort, 'balancer.httpsPort': balancer.httpsPort };
  return twiceFault(shared) ?? twiceFault(front);
}

function twiceFault(ports: Readonly<Record<string, number>>): string | undefined {
  const seen = new Map<number, string>();
  for (const [name, port] of Object.entries(ports)) {
    const other = seen.get(port);
    if (other !== undefined) return `${name} and ${other} can't both be ${port}`;
    seen.set(port, name);
  }
  return undefined;
}

function rangesFault({ dea, health }: ClusterConfig): string | undefined {
  if (dea.hostPortFirst > dea.hostPortLast) {
    return `dea.hostPortFirst (${dea.hostPortFirst}) is above dea.hostPortLast (${dea.hostPortLast})`;
  }
  if (health.crashDelayFirstMs > health.crashDelayMaxMs) {
    return `health.crashDelayFirstMs (${health.crashDelayFirstMs}) is above health.crashDelayMaxMs (${health.crashDelayMaxMs})`;
  }
  return undefined;
}

const MOST_DRAINS = 20;

function drainsFault({ logyard }: ClusterConfig): string | undefined {
  const drains = Object.entries(logyard.drains);
  if (drains.length > MOST_DRAINS) return `there can be ${MOST_DRAINS} drains, not ${drains.length}`;
  for (const [name, uri] of drains) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) return `'${name}' is no name for a drain`;
    const drain = readDrain(uri);
    if ('refused' in drain) return `logyard.drains.${name}: ${drain.refused}`;
  }
  return undefined;
}
