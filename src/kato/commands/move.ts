import type { Command } from 'commander';
import { domainOfEndpoint } from '../../core/cluster-domain.ts';
import { type Renamed, renameCluster } from '../cluster/rename.ts';
import { updateNode } from '../cluster/update.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato node rename | update`: what changes who and where a node is. */
export function moveCommands(group: Command, context: CommandContext): void {
  renameCommand(group, context);
  updateCommand(group, context);
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
