import type { Command } from 'commander';
import { type RoleName, roleNames } from '../../contract/node.ts';
import {
  builtRoles,
  listRoleProcesses,
  type RoleGroups,
  resolveRoles,
  roleDescriptions,
  rolesForAll,
} from '../../core/role-plan.ts';
import { environment } from '../../platform/config.ts';
import { pathsOf } from '../../platform/paths.ts';
import { changeRoles } from '../cluster/role-change.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readRoleGroups } from '../role-groups.ts';
import { table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

type AddOptions = { all?: boolean; allBut?: string[]; only?: boolean; start?: boolean };
type Scope = { readonly node: Node; readonly command: Command; readonly context: CommandContext };

/** `kato role add | remove | info`. */
export function roleCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('role')
    .summary('the roles of this node')
    .description(
      describe(
        'Gives this node roles and takes them away. Groups of roles are in role_groups.yml in the state folder.',
        'kato role info',
        'kato role add dea',
        'kato role remove dea',
      ),
    );
  addCommand(group, context);
  removeCommand(group, context);
  infoCommand(group);
}

function addCommand(group: Command, context: CommandContext): void {
  group
    .command('add')
    .argument('[role...]', 'roles or groups of roles')
    .option('--all', 'every role that can share a node with others')
    .option('--all-but <role...>', 'all of those but these')
    .option('-o, --only', 'take all other roles away')
    .option('-s, --no-start', "don't start them")
    .summary('gives this node roles')
    .description(
      describe(
        'Gives this node roles and starts them.',
        'kato role add dea',
        'kato role add --all-but stager',
        'kato role add --only router',
      ),
    )
    .action(async (names: string[], options: AddOptions, command: Command) => {
      const node = await openNode();
      const all = rolesForAll({ isCore: node.file.address === node.file.coreAddress });
      const add = wanted(names, { ...options, whole: all }, await readRoleGroups(node.paths));
      const remove = options.only ? removable(node).filter((role) => !add.includes(role)) : [];
      await change({ node, command, context }, { add, remove, start: options.start ?? true });
    });
}

function removeCommand(group: Command, context: CommandContext): void {
  group
    .command('remove')
    .argument('[role...]', 'roles or groups of roles')
    .option('--all', 'every role but base, and the primary of a Core node')
    .option('--all-but <role...>', 'all of those but these')
    .option('-o, --only', 'these and no others, as without it')
    .summary('takes roles away from this node')
    .description(
      describe(
        'Stops roles and takes them away from this node.',
        'kato role remove stager',
        'kato role remove --all-but router',
      ),
    )
    .action(async (names: string[], options: AddOptions, command: Command) => {
      const node = await openNode();
      const remove = wanted(names, { ...options, whole: removable(node) }, await readRoleGroups(node.paths));
      await change({ node, command, context }, { add: [], remove, start: true });
    });
}

/** The node's roles without those that it can't be without. */
function removable({ file }: Node): RoleName[] {
  return roleNames.filter((role) => file.roles.includes(role) && role !== 'base' && role !== 'primary');
}

function wanted(
  names: readonly string[],
  { all = false, allBut, whole }: AddOptions & { whole: readonly RoleName[] },
  groups: RoleGroups,
): RoleName[] {
  const roles = resolved(names, groups);
  if (all || allBut !== undefined) {
    if (names.length > 0) {
      throw new Refusal(
        `--all${all ? '' : '-but'} stands for the roles: ${names.join(', ')} can't be named besides`,
        all ? 'leave them out' : `name each of them after --all-but, or leave it out`,
      );
    }
    const but = resolved(allBut ?? [], groups);
    return whole.filter((role) => !but.includes(role));
  }
  if (roles.length > 0) return roles;
  throw new Refusal('no role was named', 'for example `kato role add dea`; `kato role info` lists them');
}

function resolved(names: readonly string[], groups: RoleGroups): RoleName[] {
  const roles = resolveRoles(names.flatMap((one) => one.split(',')).filter(Boolean), groups);
  if ('refused' in roles) throw new Refusal(roles.refused);
  return roles;
}

async function change(
  { node, command, context }: Scope,
  wanted: { add: readonly RoleName[]; remove: readonly RoleName[]; start: boolean },
): Promise<void> {
  const terminal = terminalOf(command);
  const { roles, started, stopped } = await changeRoles(node, wanted, { terminal, signal: context.signal });
  terminal.result(`roles: ${roles.join(', ')}`, { roles, started, stopped });
}

function infoCommand(group: Command): void {
  group
    .command('info')
    .argument('[role...]', 'roles or groups of roles; default: all')
    .option('--all', 'all of them, as without a name')
    .option('--all-but <role...>', 'all but these')
    .summary('what roles run, and which groups there are')
    .description(
      describe(
        'Shows what each role is for, which processes it runs, and the groups of roles.',
        'kato role info',
        'kato role info primary',
        'kato role info data-services',
      ),
    )
    .action(async (names: string[], options: AddOptions, command: Command) => {
      const paths = pathsOf(environment.state);
      const groups = await readRoleGroups(paths);
      const isWhole = names.length === 0 || options.all || options.allBut !== undefined;
      const roles = isWhole
        ? wanted([], { ...options, all: true, whole: roleNames }, groups)
        : wanted(names, { ...options, whole: roleNames }, groups);
      const value = roles.map((role) => ({
        role,
        description: roleDescriptions[role],
        isAvailable: builtRoles.includes(role),
        processes: listRoleProcesses(role).map(({ name }) => name),
        groups: Object.entries(groups).flatMap(([group, members]) => (members.includes(role) ? [group] : [])),
      }));
      const rows = value.map(({ role, description, isAvailable, processes }) => [
        role,
        isAvailable ? processes.join(' ') : 'not available in this version',
        description,
      ]);
      const all = Object.entries(groups).map(([name, members]) => [name, members.join(' ')]);
      const shown = [table([['ROLE', 'PROCESSES', ''], ...rows])];
      if (isWhole) shown.push('', table([['GROUP', 'ROLES'], ...all]), '', `your own groups: ${paths.roleGroupsFile}`);
      terminalOf(command).result(shown.join('\n'), value);
    });
}
