import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { roleNames } from '../../contract/node.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import { listProcesses, type RoleGroups, resolveRoles } from '../../core/role-plan.ts';
import { environment } from '../../platform/config.ts';
import { pathsOf } from '../../platform/paths.ts';
import { attach } from '../cluster/attach.ts';
import { detach } from '../cluster/detach.ts';
import { formatToken } from '../cluster/join-client.ts';
import { changeMembership } from '../cluster/membership.ts';
import { askedOrCopied, RegistryClient } from '../cluster/registry-client.ts';
import { nodesNamed } from '../cluster/remote.ts';
import { retire } from '../cluster/retire.ts';
import { restartProcesses } from '../lifecycle.ts';
import { openNode, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readRoleGroups } from '../role-groups.ts';
import { table } from '../terminal.ts';
import { writeTopology } from '../topology-file.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { placementZonesCommand } from './placement-zones.ts';

/** `kato node token | attach | detach | remove | list`. */
export function clusterCommands(group: Command, context: CommandContext): void {
  tokenCommand(group);
  attachCommand(group, context);
  detachCommand(group, context);
  removeCommand(group);
  retireCommand(group, context);
  zoneCommand(group, context);
  placementZonesCommand(group, context);
  listCommand(group, context);
}

function tokenCommand(group: Command): void {
  group
    .command('token')
    .option('--uses <n>', 'how many machines may join with it', '1')
    .option('--hours <n>', 'how long it is good for', '1')
    .summary('makes a token by which a machine may join')
    .description(
      describe('Makes a join token on the Core node.', 'kato node token', 'kato node token --uses 12 --hours 24'),
    )
    .action(async (options: { uses: string; hours: string }, command: Command) => {
      const node = await openNode();
      const [uses, hours] = [parseCount('--uses', options.uses, 1000), parseCount('--hours', options.hours, 720)];
      const secret = await new RegistryClient(node).makeToken({ uses, lifeS: hours * 3600 });
      const token = formatToken(await readFile(node.paths.caCertificate, 'utf8'), secret);
      const terminal = terminalOf(command);
      terminal.say(`on the other machine: kato node attach ${node.file.address} -e ROLES --token ${token}`);
      terminal.result(token, { token, uses, hours, core: node.file.address });
    });
}

type AttachFlags = { enable?: string[]; token?: string; tokenStdin?: boolean; force?: boolean; joinPort: string };

function attachCommand(group: Command, context: CommandContext): void {
  group
    .command('attach')
    .argument('<core-address>', 'address of the Core node')
    .option('-e, --enable <roles...>', 'roles for this node, apart or with commas')
    .option('--token <token>', 'join token; also STACKATO_JOIN_TOKEN')
    .option('--token-stdin', 'read the join token from standard input')
    .option('-f, --force', 'join although the versions differ')
    .option('--join-port <port>', 'where the Core takes nodes in', '8027')
    .summary('makes this machine a node of a cluster')
    .description(
      describe(
        'Makes this machine a node of a cluster. Safe to repeat, also when it was interrupted.',
        'kato node attach 10.0.0.5 -e dea,stager --token TOKEN',
        'kato node attach 10.0.0.5 -e router --token-stdin < token',
      ),
    )
    .action(async (coreAddress: string, flags: AttachFlags, command: Command) => {
      requireRoot();
      if (!isIPv4(coreAddress))
        throw new Refusal(`'${coreAddress}' is no address`, 'for example kato node attach 10.0.0.5');
      const roles = rolesOf(flags.enable ?? [], await readRoleGroups(pathsOf(environment.state)));
      const terminal = terminalOf(command);
      const token = flags.token ?? (flags.tokenStdin ? await readStandardInput() : environment.stackato('JOIN_TOKEN'));
      const joinPort = parseCount('--join-port', flags.joinPort, 65_535);
      const options = { coreAddress, roles, token, isVersionForced: flags.force ?? false, joinPort };
      const file = await attach(options, { terminal, signal: context.signal });
      terminal.result(`attached to ${coreAddress} as node ${file.index} with ${file.roles.join(', ')}`, file);
    });
}

function detachCommand(group: Command, context: CommandContext): void {
  group
    .command('detach')
    .option('-f, --force', 'also when the Core does not answer')
    .summary('takes this node out of its cluster')
    .description(describe('Takes this node out of its cluster; its apps start elsewhere.', 'kato node detach'))
    .action(async (flags: { force?: boolean }, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      await detach(node, { terminal, signal: context.signal, isForced: flags.force ?? false });
      terminal.result(`detached from ${node.file.coreAddress}; next: kato node attach, or kato node setup micro`, {
        detachedFrom: node.file.coreAddress,
      });
    });
}

function removeCommand(group: Command): void {
  group
    .command('remove')
    .argument('<node...>', 'addresses, names or numbers of nodes')
    .option('--skip-detach', 'accepted for old habits: a removed node is shut out at once, dead or alive')
    .summary('shuts nodes out of the cluster')
    .description(
      describe(
        'Shuts nodes out of the cluster at once, dead ones too. Run on the Core node.',
        'kato node remove 10.0.0.7',
      ),
    )
    .action(async (names: string[], _flags: unknown, command: Command) => {
      const node = await openNode();
      const client = new RegistryClient(node);
      const removed = nodesNamed(await client.topology(), names);
      // Written here too: the processes that start next must not take an old copy of the nodes for true.
      for (const one of removed) await writeTopology(node.paths, await client.remove(one.id));
      terminalOf(command).result(removed.map((one) => `removed ${describeNode(one)}`).join('\n'), removed);
    });
}

function retireCommand(group: Command, context: CommandContext): void {
  group
    .command('retire')
    .option('--timeout <seconds>', 'give up after so long', '600')
    .summary('moves the instances of this DEA to others, then stops it')
    .description(
      describe(
        'Has the instances of this DEA started on others, each going on until its replacement runs; then stops the DEA. `kato start dea` brings it back.',
        'kato node retire',
        'kato node retire --timeout 60',
      ),
    )
    .action(async (flags: { timeout: string }, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      const moved = await retire(node, {
        terminal,
        signal: context.signal,
        timeoutMs: parseCount('--timeout', flags.timeout, 86_400) * 1000,
      });
      terminal.result(`retired: ${moved} instance${moved === 1 ? '' : 's'} moved, the DEA is stopped`, { moved });
    });
}

function zoneCommand(group: Command, context: CommandContext): void {
  group
    .command('availabilityzone')
    .argument('[zone]', 'letters, digits, - and _')
    .summary('shows or sets the availability zone of this node')
    .description(
      describe(
        'Shows or sets the availability zone of this node: the instances of an app are spread over zones.',
        'kato node availabilityzone',
        'kato node availabilityzone rack-2',
      ),
    )
    .action(async (zone: string | undefined, _flags: unknown, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      if (zone === undefined) return terminal.result(node.file.availabilityZone, { zone: node.file.availabilityZone });
      if (!/^[A-Za-z0-9_-]{1,63}$/.test(zone)) {
        throw new Refusal(`'${zone}' is no name of a zone`, 'use letters, digits, - and _, at most 63');
      }
      const after = await changeMembership(node, { availabilityZone: zone });
      const plans = listProcesses(after.file).filter(({ role }) => role === 'dea');
      // A DEA tells its zone as it was when it started; instances go on.
      if (await after.supervisor.isRunning()) {
        await restartProcesses(after, plans, { say: terminal.say, signal: context.signal });
      }
      terminal.result(`availability zone: ${zone}`, { zone });
    });
}

function listCommand(group: Command, context: CommandContext): void {
  group
    .command('list')
    .summary('the nodes of the cluster')
    .description(describe('Lists the nodes of the cluster and their roles.', 'kato node list', 'kato node list --json'))
    .action(async (_flags: unknown, command: Command) => {
      const node = await openNode();
      const terminal = terminalOf(command);
      const { topology, why } = await askedOrCopied(node);
      if (topology === undefined) throw why;
      if (why !== undefined) {
        terminal.say(`${why.message}: these are the nodes as this one last heard of them`);
        context.outcome.code = 1;
      }
      const { nodes, core } = topology;
      const rows = nodes.map(({ id, index, address, name, roles }) => [
        String(index),
        address,
        name,
        roles.join(' '),
        id === core ? 'Core' : '',
      ]);
      terminal.result(table([['NODE', 'ADDRESS', 'NAME', 'ROLES', ''], ...rows]), nodes);
    });
}

function rolesOf(given: readonly string[], groups: RoleGroups): string[] {
  const names = given.flatMap((one) => one.split(',')).filter(Boolean);
  if (names.length === 0) {
    throw new Refusal(
      'no role was named',
      `give some with -e, of ${roleNames.filter((role) => role !== 'base').join(', ')}`,
    );
  }
  const roles = resolveRoles(names, groups);
  if ('refused' in roles) throw new Refusal(roles.refused, 'kato role info');
  return roles;
}

function parseCount(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw new Refusal(`${name} takes a number from 1 to ${most}, not '${text}'`);
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8').trim();
}
