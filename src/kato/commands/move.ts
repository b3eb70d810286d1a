import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { domainOfEndpoint } from '../../core/cluster-domain.ts';
import { migrateNode } from '../cluster/migrate.ts';
import { type Renamed, renameCluster } from '../cluster/rename.ts';
import { updateNode } from '../cluster/update.ts';
import { openNode, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato node rename | migrate | reattach | update`: what changes who and where a node is. */
export function moveCommands(group: Command, context: CommandContext): void {
  renameCommand(group, context);
  updateCommand(group, context);
  migrateCommand(group, context);
  reattachCommand(group, context);
}

type RenameFlags = { skipRemap?: boolean; skipCertificates?: boolean; restart: boolean };

function renameCommand(group: Command, context: CommandContext): void {
  group
    .command('rename')
    .argument('<host>', 'api.DOMAIN, as its users will target it')
    .option('-s, --skip-remap', 'apps keep their addresses on the old domain')
    .option('-l, --skip-certificates', 'leave the certificates as they are')
    .option('--no-restart', 'restart nothing: it counts after kato restart')
    .summary('gives the cluster another domain')
    .description(
      describe(
        'Gives the cluster another domain: addresses of apps and of the platform, certificates, on every node. Run it on\nthe Core node. Safe to repeat, also when it was interrupted.',
        'kato node rename api.cloud.example.com',
        'kato node rename api.cloud.example.com --skip-remap',
      ),
    )
    .action(async (host: string, flags: RenameFlags, command: Command) => {
      const wanted = domainOfEndpoint(host);
      if ('refused' in wanted) throw new Refusal(wanted.refused, wanted.next);
      const terminal = terminalOf(command);
      const renamed = await renameCluster(await openNode(), {
        domain: wanted.domain,
        keepsAddresses: flags.skipRemap ?? false,
        renewsCertificates: !flags.skipCertificates,
        restarts: flags.restart,
        say: terminal.say,
        signal: context.signal,
      });
      terminal.result(textOf(renamed, flags), renamed);
      if (renamed.nodes.some(({ done }) => !done)) context.outcome.code = 1;
    });
}

function textOf({ from, to, apps, stayed, nodes, restarted }: Renamed, { restart }: RenameFlags): string {
  const away = nodes.filter(({ done }) => !done);
  return [
    from === to ? `the cluster's domain is ${to}` : `renamed ${from} to ${to}; ${apps} apps have addresses on it`,
    ...(stayed.length === 0 ? [] : [`stayed where they were, as the new address is taken: ${stayed.join(', ')}`]),
    `users go on at https://api.${to}; apps see their new addresses in their environment when they start again`,
    restart ? `restarted here: ${restarted.join(', ')}` : 'counts after kato restart, and kato node update -n all',
    ...away.map(
      ({ address, because }) =>
        `${address} does not know yet (${because}): it follows when it is back, or after kato node update there`,
    ),
  ].join('\n');
}

function updateCommand(group: Command, context: CommandContext): void {
  group
    .command('update')
    .summary('takes up what the cluster says of this node')
    .description(
      describe(
        'Takes up what the cluster says of this node: settings, addresses of nodes, certificates, credentials; restarts what\nread others before. Apps go on.',
        'kato node update',
        'kato node update -n all',
      ),
    )
    .action(async (_flags: unknown, command: Command) => {
      const terminal = terminalOf(command);
      const updated = await updateNode(await openNode(), { say: terminal.say, signal: context.signal });
      const { restarted } = updated;
      terminal.result(restarted.length === 0 ? 'up to date' : `restarted ${restarted.join(', ')}`, updated);
    });
}

function migrateCommand(group: Command, context: CommandContext): void {
  group
    .command('migrate')
    .argument('<old>', 'the address that the cluster knows')
    .argument('<new>', 'the address that this machine has now')
    .summary('has this node go by another address')
    .description(
      describe(
        'Has this node go by the address that its machine has now: in the registry, in certificates, for every other node.\nNodes that the old address no longer reaches are named. Safe to repeat, also when it was interrupted.',
        'kato node migrate 10.0.0.5 10.1.0.5',
      ),
    )
    .action(async (from: string, to: string, _flags: unknown, command: Command) => {
      requireRoot();
      for (const address of [from, to]) requireAddress(address, 'kato node migrate 10.0.0.5 10.1.0.5');
      const terminal = terminalOf(command);
      const migrated = await migrateNode(await openNode(), { from, to, say: terminal.say, signal: context.signal });
      const away = migrated.nodes.filter(({ done }) => !done);
      const lines = away.map(({ address, because }) => `on ${address} (${because}): kato node reattach ${to}`);
      terminal.result([`this node goes by ${to}`, ...lines].join('\n'), migrated);
      if (away.length > 0) context.outcome.code = 1;
    });
}

function reattachCommand(group: Command, context: CommandContext): void {
  group
    .command('reattach')
    .argument('<core-address>', 'where the Core node is now')
    .summary('finds the Core of this node at another address')
    .description(
      describe(
        'Joins this node to its Core at another address. It stays the same node, its apps run on, and no token is needed:\nCore and node know each other by their certificates.',
        'kato node reattach 10.1.0.5',
      ),
    )
    .action(async (coreAddress: string, _flags: unknown, command: Command) => {
      requireRoot();
      requireAddress(coreAddress, 'kato node reattach 10.1.0.5');
      const terminal = terminalOf(command);
      const node = await openNode();
      if (node.file.roles.includes('primary')) {
        throw new Refusal(
          node.file.isMicro ? 'this node is a micro cloud: it is attached to nothing' : 'this is the Core node itself',
          node.file.isMicro
            ? 'kato node attach joins it to a cluster'
            : 'kato node migrate OLD NEW, when its address changed',
        );
      }
      const updated = await updateNode(node, { coreAddress, say: terminal.say, signal: context.signal });
      terminal.result(`attached to ${coreAddress} as node ${node.file.index}, as before`, updated);
    });
}

function requireAddress(text: string, example: string): void {
  if (!isIPv4(text)) throw new Refusal(`'${text}' is no address`, `for example ${example}`);
}
