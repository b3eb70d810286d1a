import type { Command } from 'commander';
import { type RoleName, roleNames } from '../../contract/node.ts';
import {
  builtRoles,
  listRoleProcesses,
  resolveRoles,
  roleDescriptions,
  roleGroups,
  sociableRoles,
} from '../../core/role-plan.ts';
import { changeRoles } from '../cluster/role-change.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato role add | remove | info`. */
export function roleCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('role')
    .summary('the roles of this node')
    .description(
      describe(
        'Gives this node roles and takes them away.',
        'kato role info',
        'kato role add dea',
        'kato role remove dea',
      ),
    );
  group
    .command('add')
    .argument('[role...]', 'roles or groups of roles')
    .option('--all', 'every role that can share a node with others')
    .option('--all-but <role...>', 'all of those but these')
    .option('-o, --only', 'take all other roles away')
    .option('-s, --no-start', "don't start them")
    .summary('gives this node roles')
    .description(
      describe('Gives this node roles and starts them.', 'kato role add dea', 'kato role add --all-but stager'),
    )
    .action(async (names: string[], options: AddOptions, command: Command) => {
      const node = await openNode();
      const add = wanted(names, options);
      const remove = options.only
        ? node.file.roles.filter((role) => !add.includes(role as RoleName) && !isFixed(role))
        : [];
      await change({ node, command, context }, { add, remove: remove as RoleName[], start: options.start });
    });
  group
    .command('remove')
    .argument('<role...>', 'roles or groups of roles')
    .summary('takes roles away from this node')
    .description(describe('Stops roles and takes them away from this node.', 'kato role remove stager'))
    .action(async (names: string[], _options: unknown, command: Command) => {
      const node = await openNode();
      await change({ node, command, context }, { add: [], remove: wanted(names, {}), start: true });
    });
  infoCommand(group);
}

type AddOptions = { all?: boolean; allBut?: string[]; only?: boolean; start?: boolean };

const isFixed = (role: string) => role === 'base' || role === 'primary';

function wanted(names: readonly string[], options: AddOptions): RoleName[] {
  const roles = resolveRoles(names);
  const but = resolveRoles(options.allBut ?? []);
  if ('refused' in roles) throw new Refusal(roles.refused);
  if ('refused' in but) throw new Refusal(but.refused);
  if (options.all || options.allBut !== undefined) return sociableRoles.filter((role) => !but.includes(role));
  if (roles.length === 0)
    throw new Refusal('no role was named', 'for example `kato role add dea`; `kato role info` lists them');
  return roles;
}

type Scope = { readonly node: Node; readonly command: Command; readonly context: CommandContext };

async function change(
  { node, command, context }: Scope,
  { add, remove, start = true }: { add: readonly RoleName[]; remove: readonly RoleName[]; start: boolean | undefined },
): Promise<void> {
  const terminal = terminalOf(command);
  const done = await changeRoles(node, { add, remove, start }, { terminal, signal: context.signal });
  const { roles, started, stopped } = done;
  terminal.result(`roles: ${roles.join(', ')}`, { roles, started, stopped });
}

function infoCommand(group: Command): void {
  group
    .command('info')
    .argument('[role...]')
    .summary('what roles run')
    .description(
      describe('Shows what each role is for and which processes it runs.', 'kato role info', 'kato role info primary'),
    )
    .action((names: string[], _options: unknown, command: Command) => {
      const roles = names.length === 0 ? roleNames : resolveRoles(names);
      if ('refused' in roles) throw new Refusal(roles.refused);
      const value = roles.map((role) => ({
        role,
        description: roleDescriptions[role],
        isAvailable: builtRoles.includes(role),
        processes: listRoleProcesses(role).map(({ name }) => name),
        groups: Object.entries(roleGroups).flatMap(([group, members]) => (members.includes(role) ? [group] : [])),
      }));
      const rows = value.map(({ role, description, isAvailable, processes }) => [
        role,
        isAvailable ? processes.join(' ') : 'not available in this version',
        description,
      ]);
      terminalOf(command).result(table([['ROLE', 'PROCESSES', ''], ...rows]), value);
    });
}
