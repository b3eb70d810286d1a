import { type RoleName, roleNames } from '../contract/node.ts';
import { closest } from './spelling.ts';

/** Who a process runs as: root, the platform's own account, or the database's. */
export type Account = 'root' | 'stackato' | 'postgres';

/** One process of a role. */
export type ProcessPlan = {
  readonly name: string;
  readonly role: RoleName;
  /** Processes of one program share an operating system process on a node that has several of them. */
  readonly program: string;
  readonly account: Account;
  /** Processes of a lower phase are ready before those of a higher one start. */
  readonly startPhase: number;
  /** Lower stops earlier. */
  readonly stopPhase: number;
  /** SIGTERM to SIGKILL, s. */
  readonly stopWaitS: number;
  /** It looks after something (containers, a proxy) that a restart leaves running. */
  readonly outlivedByCharges: boolean;
  /** A micro cloud has no need of it. */
  readonly isForClusters: boolean;
};

/** What the supervisor runs: one process, or several in one. */
export type ProgramPlan = Pick<
  ProcessPlan,
  'name' | 'account' | 'startPhase' | 'stopPhase' | 'stopWaitS' | 'outlivedByCharges'
> & { readonly processes: readonly ProcessPlan[] };

const process = (
  name: string,
  role: RoleName,
  rest: Partial<Omit<ProcessPlan, 'name' | 'role'>> = {},
): ProcessPlan => ({
  name,
  role,
  program: name,
  account: 'stackato',
  startPhase: 2,
  stopPhase: 2,
  stopWaitS: 15,
  outlivedByCharges: false,
  isForClusters: false,
  ...rest,
});

/**
 * Every process that this version runs, in start order. An idle Node costs some 40 MB, so the
 * control plane's share: a crash of one restarts the others with it. What serves apps stays alone,
 * and what runs as root shares with nothing that does not.
 */
export const processPlans: readonly ProcessPlan[] = [
  process('nats', 'primary', { startPhase: 1, stopPhase: 3 }),
  process('postgresql', 'primary', { account: 'postgres', startPhase: 1, stopPhase: 3, stopWaitS: 30 }),
  process('primary', 'primary'),
  process('controller', 'controller'),
  process('aok', 'controller', { program: 'controller' }),
  process('logyard', 'controller', { program: 'controller' }),
  process('router', 'router', { account: 'root', stopWaitS: 30, stopPhase: 1, outlivedByCharges: true }),
  process('load_balancer', 'load_balancer', { account: 'root', stopWaitS: 30, stopPhase: 1, outlivedByCharges: true }),
  process('mdns', 'mdns'),
  process('dea', 'dea', { account: 'root', stopWaitS: 60, stopPhase: 1, outlivedByCharges: true }),
  process('stager', 'stager', { account: 'root', program: 'base', stopWaitS: 30, stopPhase: 1 }),
  // It would ask for new instances while the DEA stops the old ones.
  process('health_manager', 'primary', { program: 'primary', stopPhase: 0 }),
  process('base', 'base', { account: 'root' }),
  process('link', 'base', { startPhase: 0, stopPhase: 4, isForClusters: true }),
];

/** Sets of roles that go by one name. */
export type RoleGroups = Readonly<Record<string, readonly RoleName[]>>;

/** The groups that come with this version. */
export const roleGroups: RoleGroups = {
  'data-services': ['postgresql', 'mysql', 'redis', 'mongodb', 'rabbit', 'filesystem'],
  core: ['base', 'primary', 'controller', 'router'],
  apps: ['dea', 'stager'],
};

/** Roles of a micro cloud when none are named. */
export const microRoles: readonly RoleName[] = ['base', 'primary', 'controller', 'router', 'dea', 'stager'];

/** Roles that a Core node always has. */
export const coreRoles: readonly RoleName[] = ['base', 'primary', 'controller', 'router'];

/** Roles that this version can run. */
export const builtRoles: readonly RoleName[] = roleNames.filter((role) => processPlans.some((p) => p.role === role));

/** Of those, the ones that `--all` stands for: a load balancer shares its node with nothing, and mdns is asked for by name. */
export const sociableRoles: readonly RoleName[] = builtRoles.filter(
  (role) => role !== 'load_balancer' && role !== 'mdns',
);

/** Those that `--all` stands for on this node: the primary is the Core's. */
export function rolesForAll(node: { readonly isCore: boolean }): RoleName[] {
  return sociableRoles.filter((role) => role !== 'primary' || node.isCore);
}

/** The roles that a node could be given: none that the rules refuse, even with its other roles taken away. */
export function rolesToTake(node: RoleHolder & { isCore: boolean; isMicro: boolean }): RoleName[] {
  const others = roleNames.filter((role) => node.roles.includes(role) && role !== 'base' && role !== 'primary');
  return builtRoles.filter((role) => {
    const remove = role === 'load_balancer' ? others : [];
    return !node.roles.includes(role) && !('refused' in planRoleChange(node, { add: [role], remove }));
  });
}

/** What a role is for, in a line. */
export const roleDescriptions: Readonly<Record<RoleName, string>> = {
  base: "reports the node's processes and ships their logs",
  primary: 'message bus, control database, cluster configuration, health manager',
  controller: 'API, console, login server, recent logs',
  router: 'HTTP and HTTPS to the apps',
  dea: 'runs app instances',
  stager: 'turns source code into droplets',
  postgresql: 'PostgreSQL data service',
  mysql: 'MySQL data service',
  redis: 'Redis data service',
  mongodb: 'MongoDB data service',
  rabbit: 'RabbitMQ data service',
  memcached: 'memcached data service',
  filesystem: 'persistent file system service',
  harbor: 'TCP and UDP ports for apps',
  mdns: "publishes a micro cloud's host names on the local network",
  load_balancer: 'balances requests over several routers',
};

/** What decides which processes a node runs. */
export type RoleHolder = {
  readonly roles: readonly string[];
  readonly isMicro?: boolean | undefined;
  readonly isDatabaseOutside?: boolean | undefined;
};

/** The processes of a node, in start order. */
export function listProcesses({ roles, isMicro = false, isDatabaseOutside = false }: RoleHolder): ProcessPlan[] {
  return processPlans
    .filter((plan) => roles.includes(plan.role) && !(isMicro && plan.isForClusters))
    .filter(({ name }) => !(isDatabaseOutside && name === 'postgresql'))
    .sort((a, b) => a.startPhase - b.startPhase);
}

/** The processes of one role, those that only a cluster runs apart. */
export function listRoleProcesses(role: string): ProcessPlan[] {
  return listProcesses({ roles: [role], isMicro: true });
}

/** What the supervisor runs for these processes, in start order. */
export function listPrograms(plans: readonly ProcessPlan[]): ProgramPlan[] {
  const names = [...new Set(plans.map(({ program }) => program))];
  return names.map((name) => {
    const processes = plans.filter((plan) => plan.program === name);
    const least = (key: 'startPhase' | 'stopPhase') => Math.min(...processes.map((plan) => plan[key]));
    return {
      name,
      processes,
      account: processes.some(({ account }) => account === 'root') ? 'root' : (processes[0]?.account ?? 'stackato'),
      startPhase: least('startPhase'),
      stopPhase: least('stopPhase'),
      stopWaitS: Math.max(...processes.map(({ stopWaitS }) => stopWaitS)),
      outlivedByCharges: processes.some(({ outlivedByCharges }) => outlivedByCharges),
    };
  });
}

/** Programs (or processes) in groups that are started (or stopped) together, first group first. */
export function groupByPhase<P extends Pick<ProcessPlan, 'startPhase' | 'stopPhase'>>(
  plans: readonly P[],
  key: 'startPhase' | 'stopPhase',
): P[][] {
  const phases = [...new Set(plans.map((plan) => plan[key]))].sort((a, b) => a - b);
  return phases.map((phase) => plans.filter((plan) => plan[key] === phase));
}

/** The roles behind names that may be groups, without repeats; or why a name is none. */
export function resolveRoles(
  names: readonly string[],
  groups: RoleGroups = roleGroups,
): RoleName[] | { refused: string } {
  const found = new Set<RoleName>();
  for (const name of names) {
    const role = roleNames.find((one) => one === name);
    const group = Object.hasOwn(groups, name) ? groups[name] : undefined;
    if (role === undefined && group === undefined) {
      return { refused: `there is no role '${name}'; ${hintFor(name, groups)}` };
    }
    for (const one of group ?? []) found.add(one);
    if (role !== undefined) found.add(role);
  }
  return [...found];
}

function hintFor(name: string, known: RoleGroups): string {
  const plan = processPlans.find((one) => one.name === name);
  if (plan !== undefined) return `it is a process of the role ${plan.role}: \`kato process\` steers single ones`;
  const groups = Object.keys(known);
  const meant = closest(name, [...roleNames, ...groups]);
  const all = `roles: ${roleNames.join(', ')}; groups: ${groups.join(', ')}`;
  return meant === undefined ? all : `did you mean ${meant}? ${all}`;
}

/** A change of a node's roles, or why it can't be. */
export type RoleChange =
  | { readonly roles: readonly string[]; readonly started: readonly string[]; readonly stopped: readonly string[] }
  | { readonly refused: string };

/**
 * What becomes of a node's roles when some are added and removed.
 *
 * @param node the roles it has, whether it is the Core node, and whether it is a whole cluster by itself
 */
export function planRoleChange(
  node: RoleHolder & { isCore: boolean; isMicro: boolean },
  change: { add: readonly RoleName[]; remove: readonly RoleName[] },
): RoleChange {
  const refused = refusal(node, change);
  if (refused !== undefined) return { refused };
  const roles = roleNames.filter(
    (role) => (node.roles.includes(role) || change.add.includes(role)) && !change.remove.includes(role),
  );
  const before = listProcesses(node).map(({ name }) => name);
  const after = listProcesses({ ...node, roles }).map(({ name }) => name);
  return {
    roles,
    started: after.filter((name) => !before.includes(name)),
    stopped: before.filter((name) => !after.includes(name)),
  };
}

function refusal(
  node: { roles: readonly string[]; isCore: boolean; isMicro: boolean },
  { add, remove }: { add: readonly RoleName[]; remove: readonly RoleName[] },
): string | undefined {
  const missing = add.filter((role) => !builtRoles.includes(role));
  const after = [...node.roles.filter((role) => !remove.includes(role as RoleName)), ...add];
  if (remove.includes('base')) return 'the base role is on every node and can not be removed';
  if (remove.includes('primary') && node.isCore) {
    return 'the primary role can not be removed: this is the Core node, and a cluster has exactly one primary';
  }
  if (add.includes('primary') && !node.isCore) {
    return 'the primary role can not be added: a cluster has exactly one, on its Core node';
  }
  if (add.includes('mdns') && !node.isMicro) return 'the mdns role is for micro clouds only';
  if (after.includes('load_balancer') && after.some((role) => role !== 'load_balancer' && role !== 'base')) {
    return 'the load_balancer role excludes every other role; give it a node of its own';
  }
  if (missing.length > 0) {
    return `${missing.join(', ')}: not available in this version; available roles: ${builtRoles.join(', ')}`;
  }
  return undefined;
}
