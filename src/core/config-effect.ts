import { listProcesses, processPlans } from './role-plan.ts';

/** Processes that read a section of the settings when they start. */
const readers: Readonly<Record<string, readonly string[]>> = {
  cluster: ['controller', 'aok', 'logyard', 'base', 'load_balancer', 'mdns'],
  controller: ['controller', 'aok', 'logyard', 'health_manager', 'stager'],
  aok: ['aok', 'controller', 'logyard'],
  staging: ['controller', 'stager', 'dea'],
  stager: ['stager'],
  dea: ['dea', 'stager'],
  fence: ['dea', 'stager'],
  router: ['router', 'load_balancer', 'controller', 'aok', 'logyard', 'base', 'mdns'],
  balancer: ['load_balancer'],
  mdns: ['mdns'],
  health: ['health_manager', 'controller'],
  logyard: ['logyard'],
  blobs: ['controller'],
  primary: ['base'],
  // Read anew before each backup.
  backup: [],
};

/** Ports that the supervisor, the bus server or the links have: everything on a node goes by them. */
const whole = /^(bus|link)\.|^(primary\.supervisorPort|controller\.port|aok\.port|logyard\.port)$/;

const inSection = (section: string, ...keys: string[]) => keys.map((key) => `${section}.${key}`);

/** Settings that every process takes over while it runs, because each reads them anew whenever it needs them. */
export const liveSettings: readonly string[] = [
  ...inSection('cluster', 'name', 'license'),
  ...inSection('controller', 'defaultMemoryMb', 'defaultDiskMb', 'maxDiskMb', 'stackDefault'),
  ...inSection('controller', 'maxUploadMb', 'maxUnpackedMb', 'maxPackageEntries', 'resourceCacheMb', 'dropletsKept'),
  ...inSection('controller', 'findDropletTimeoutMs', 'advertisementTimeoutS', 'jobsKeptS'),
  ...inSection('aok', 'accessTokenS', 'refreshTokenS', 'lockoutFailures', 'lockoutS', 'passwordMinLength'),
  ...inSection('staging', 'memoryMb', 'diskMb', 'timeoutS', 'logLinesPerS', 'logKbPerS', 'environment'),
  ...inSection('staging', 'npmRegistry', 'pipIndex', 'gemSource', 'goProxy', 'mavenMirror', 'composerRepository'),
  ...inSection('stager', 'maxTasks'),
  ...inSection('dea', 'memoryMb', 'memoryOvercommit', 'diskMb', 'stopGraceMs', 'unrouteDrainMs'),
  ...inSection('dea', 'crashKeptS', 'crashDiskMb'),
  ...inSection('health', 'heartbeatLostMs', 'startGraceMs', 'startsPerTick'),
  ...inSection('health', 'freeCrashes', 'crashDelayFirstMs', 'crashDelayMaxMs', 'crashCountResetS'),
  ...inSection('logyard', 'lineBytes', 'memoryMb', 'idleKeptS', 'drains'),
];

/** What it takes until a changed setting counts. */
export type ConfigEffect = {
  /** Roles to restart, on the nodes that have them; all when the whole node must be. */
  readonly roles: readonly string[];
  readonly processes: readonly string[];
  readonly isWhole: boolean;
};

/** Who must start again for a setting to count. */
export function effectOf(path: string): ConfigEffect {
  if (whole.test(path)) {
    const all = listProcesses({ roles: processPlans.map(({ role }) => role) });
    return { roles: [], processes: all.map(({ name }) => name), isWhole: true };
  }
  const [section = '', key = ''] = path.split('.');
  const setting = `${section}.${key}`;
  const processes = liveSettings.includes(setting) ? [] : (narrowed[setting] ?? readers[section] ?? []);
  const roles = processPlans.filter(({ name }) => processes.includes(name)).map(({ role }) => role);
  return { roles: [...new Set(roles)], processes, isWhole: false };
}

/** Settings that fewer processes read than their section suggests. */
const narrowed: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  inSection('router', 'maxConnections', 'drainMs', 'threads', 'minTlsVersion', 'trustedProxies', 'stickyCookies').map(
    (setting) => [setting, ['router']],
  ),
);

/**
 * The effect in a sentence, with a command that does it.
 *
 * @param cluster `roles`: those that any of its nodes has; `where`: what kato runs on there
 */
export function describeEffect(
  { roles, isWhole }: ConfigEffect,
  cluster: { readonly roles: readonly string[]; readonly where: 'micro' | 'core' | 'other' },
): string {
  const everywhere = cluster.where === 'micro' ? '' : ' -n all';
  const command = (text: string) =>
    `${cluster.where === 'other' ? 'on the Core: ' : ''}kato restart${text}${everywhere}`;
  if (isWhole) return `counts after a restart of every node: ${command('')}`;
  if (roles.length === 0) return 'counts at once';
  const there = roles.filter((role) => cluster.roles.includes(role));
  if (there.length === 0) return `counts when a node has the role ${roles.join(' or ')}`;
  return `counts when ${there.join(', ')} start${there.length === 1 ? 's' : ''} again: ${command(` ${there.join(' ')}`)}`;
}
