import { roleNames } from '../contract/node.ts';
import type { TopologyNode } from '../contract/topology.ts';
import { listProcesses, listRoleProcesses, type RoleGroups, resolveRoles } from './role-plan.ts';

/** kato's commands that can be run on another node; the rest is for who sits at the machine. */
export const remoteCommands: readonly string[] = [
  ...[
    'info',
    'status',
    'version',
    'start',
    'stop',
    'restart',
    'process',
    'role',
    'inspect',
    'history',
    'report',
    'op',
    'relocate',
  ],
];
const remoteNodeCommands = ['retire', 'availabilityzone', 'placementzones', 'update', 'version', 'upgrade'];

/** May these arguments of kato be run on another node? */
export function isRemote([command = '', subcommand = '']: readonly string[]): boolean {
  return remoteCommands.includes(command) || (command === 'node' && remoteNodeCommands.includes(subcommand));
}

/** kato's arguments without the nodes that `-n` and `--node` name; what follows `--` is left alone. */
export function takeNodeNames(args: readonly string[]): { nodes: string[]; args: string[] } | { missing: string } {
  const nodes: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '--') return { nodes, args: [...rest, ...args.slice(at)] };
    const joined = /^(?:--node=|-n(?=[^-]))(.+)$/.exec(arg)?.[1];
    if (joined === undefined && arg !== '-n' && arg !== '--node') {
      rest.push(arg);
      continue;
    }
    const value = joined ?? args[at + 1];
    if (value === undefined || value.startsWith('-')) return { missing: arg };
    nodes.push(...value.split(',').filter(Boolean));
    if (joined === undefined) at += 1;
  }
  return { nodes, args: rest };
}

/**
 * What one of several nodes is told: of the roles and processes that a command names, those that the node has. A node that is stopped
 * from elsewhere keeps its base role, or nothing could start it again.
 *
 * @param groups of roles, as the node has them where the command is given
 * @returns undefined when the command has nothing to do there
 */
export function commandFor(
  node: Pick<TopologyNode, 'roles'>,
  args: readonly string[],
  groups?: RoleGroups,
): string[] | undefined {
  const [command = '', ...rest] = args;
  if (command === 'role') return args.flatMap((arg, at) => (at < 2 ? [arg] : [...(groups?.[arg] ?? [arg])]));
  if (command === 'process') return processCommandFor(node, args);
  if (command !== 'start' && command !== 'stop' && command !== 'restart') return [...args];
  const flags = rest.filter((arg) => arg.startsWith('-'));
  const named = rest.filter((arg) => !arg.startsWith('-'));
  if (named.length === 0) {
    if (command !== 'stop') return [...args];
    const stoppable = node.roles.filter((role) => role !== 'base');
    return stoppable.length === 0 ? undefined : [command, ...stoppable, ...flags];
  }
  const wanted = resolveRoles(named, groups);
  // The node says what is wrong with the name.
  if ('refused' in wanted) return [...args];
  const here = wanted.filter((role) => node.roles.includes(role));
  return here.length === 0 ? undefined : [command, ...here, ...flags];
}

function processCommandFor(node: Pick<TopologyNode, 'roles'>, args: readonly string[]): string[] | undefined {
  const known = roleNames.flatMap((role) => listRoleProcesses(role)).map(({ name }) => name);
  const here = listProcesses({ ...node, isMicro: false }).map(({ name }) => name);
  const isElsewhere = (arg: string, at: number) => at > 1 && known.includes(arg) && !here.includes(arg);
  const told = args.filter((arg, at) => !isElsewhere(arg, at));
  const isLeft = told.some((arg, at) => at > 1 && here.includes(arg));
  return told.length < args.length && !isLeft ? undefined : told;
}

/** One after the other, so that what several nodes do is never away on all of them. */
export function isOneAtATime(args: readonly string[]): boolean {
  return args[0] === 'restart' || (args[0] === 'process' && args[1] === 'restart') || isRegeneration(args);
}

/** Does it change what the Core's own kato speaks to the others with? Then the Core goes last. */
export function isRegeneration([command, subcommand]: readonly string[]): boolean {
  return command === 'op' && subcommand === 'regenerate';
}
