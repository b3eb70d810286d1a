import type { Command } from 'commander';
import { defaultPlacementZone } from '../../core/placement.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { changeMembership } from '../cluster/membership.ts';
import { readTopology } from '../cluster/registry-client.ts';
import { restartProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato node placementzones add | remove | list`. */
export function placementZonesCommand(group: Command, context: CommandContext): void {
  const zones = group
    .command('placementzones')
    .summary('the placement zones of this node')
    .description(
      describe(
        `Says which apps the DEA of this node takes: those of its placement zones and no others. A DEA without a zone, and\nan app that asks for none, are in '${defaultPlacementZone}'. Apps ask by \`placement-zone\` in their manifest or stackato push --placement-zone.`,
        'kato node placementzones add ssd',
        'kato node placementzones list --all',
        'kato node placementzones remove ssd -n 10.0.0.7',
      ),
    );
  changeCommand(zones, context, { verb: 'add', summary: 'puts this node into zones' });
  changeCommand(zones, context, { verb: 'remove', summary: 'takes this node out of zones' });
  listCommand(zones);
}

type Verb = { readonly verb: 'add' | 'remove'; readonly summary: string };

function changeCommand(group: Command, context: CommandContext, { verb, summary }: Verb): void {
  group
    .command(verb)
    .argument('<zone...>', 'letters, digits, - and _')
    .summary(summary)
    .description(
      describe(
        `${summary.charAt(0).toUpperCase()}${summary.slice(1)}. Instances that run go on; it counts when they start again.`,
        `kato node placementzones ${verb} ssd`,
      ),
    )
    .action(async (names: string[], _options: unknown, command: Command) => {
      for (const name of names) requireZone(name);
      const node = await openNode();
      const before = node.file.zones ?? [];
      const absent = names.find((name) => !before.includes(name));
      if (verb === 'remove' && absent !== undefined) {
        throw new Refusal(
          `this node is not in the placement zone '${absent}'; it is in ${shown(before)}`,
          '`kato node placementzones list --all` shows those of every node',
        );
      }
      const zones =
        verb === 'add' ? [...new Set([...before, ...names])] : before.filter((name) => !names.includes(name));
      const terminal = terminalOf(command);
      const after = await changeMembership(node, { zones });
      await tellDea(after, { say: terminal.say, signal: context.signal });
      terminal.result(`placement zones: ${shown(zones)}`, { zones: zones.length > 0 ? zones : [defaultPlacementZone] });
    });
}

/** A DEA tells its zones as they were when it started; instances go on. */
async function tellDea(node: Node, options: { say: (text: string) => void; signal: AbortSignal }): Promise<void> {
  const plans = listProcesses(node.file).filter(({ role }) => role === 'dea');
  if (plans.length > 0 && (await node.supervisor.isRunning())) await restartProcesses(node, plans, options);
}

function listCommand(group: Command): void {
  group
    .command('list')
    .option('--all', 'those of every node of the cluster, with their availability zones')
    .summary('shows them')
    .description(
      describe('Shows placement zones.', 'kato node placementzones list', 'kato node placementzones list --all'),
    )
    .action(async ({ all = false }: { all?: boolean }, command: Command) => {
      const node = await openNode();
      const terminal = terminalOf(command);
      const own = node.file.zones ?? [];
      if (!all) return terminal.result(shown(own), { zones: own.length > 0 ? own : [defaultPlacementZone] });
      const { nodes } = await readTopology(node);
      const value = nodes.map(({ index, address, name, roles, zones, availabilityZone }) => ({
        ...{ index, address, name, roles, availabilityZone },
        zones: zones.length > 0 ? zones : [defaultPlacementZone],
      }));
      const rows = value.map(({ index, address, roles, zones, availabilityZone }) => [
        ...[String(index), address, roles.includes('dea') ? zones.join(' ') : 'no DEA', availabilityZone],
      ]);
      terminal.result(table([['NODE', 'ADDRESS', 'PLACEMENT ZONES', 'AVAILABILITY ZONE'], ...rows]), value);
    });
}

function requireZone(name: string): void {
  if (/^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(name)) return;
  throw new Refusal(
    `'${name}' is no name of a zone`,
    'use letters, digits, - and _, at most 63, a letter or digit first and last',
  );
}

function shown(zones: readonly string[]): string {
  return zones.length > 0 ? zones.join(', ') : defaultPlacementZone;
}
