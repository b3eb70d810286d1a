import type { Command } from 'commander';
import { environment } from '../../platform/config.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { resetFactory } from '../reset.ts';
import { resetServices } from '../reset-services.ts';
import type { Terminal } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

type Flags = { yes?: boolean; force?: boolean };

/** `kato node reset factory | services`. */
export function resetCommand(group: Command, context: CommandContext): void {
  const reset = group
    .command('reset')
    .summary('wipes this machine, or what users made')
    .description(
      describe('Wipes this machine, or what users made.', 'kato node reset factory', 'kato node reset services'),
    );
  reset
    .command('factory')
    .option('--yes', 'ask nothing')
    .option('-f, --force', 'also when the cluster does not know, or needs this node')
    .summary('makes this machine as it was before set-up')
    .description(
      describe(
        'Takes this node out of its cluster, stops everything and removes all of it: apps, data, settings, secrets, logs.\nPackages of the distribution stay. Nothing can be got back. Interrupted, the same command finishes it.',
        'kato node reset factory',
        'kato node reset factory --yes',
      ),
    )
    .action(async (flags: Flags, command: Command) => {
      const terminal = terminalOf(command);
      await confirm(terminal, flags, `Remove everything in ${environment.state}?`);
      const wiped = await resetFactory({ isForced: flags.force ?? false }, { terminal, signal: context.signal });
      terminal.result(`removed ${wiped.state}; left: ${wiped.left.join(', ')}`, wiped);
    });
  reset
    .command('services')
    .option('--yes', 'ask nothing')
    .summary('removes what users made, and keeps the cluster')
    .description(
      describe(
        'Removes users, organizations, apps, packages, droplets and logs. Roles, addresses, domain, settings, certificates\nand the nodes of the cluster stay. Run it on the Core node, or on a micro cloud. Interrupted, the same command finishes it.',
        'kato node reset services',
        'kato node reset services --yes',
      ),
    )
    .action(async (flags: Flags, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      const { domain } = node.config.cluster;
      await confirm(terminal, flags, `Remove every user and every app of ${domain}?`);
      await resetServices(node, { say: terminal.say, signal: context.signal });
      const kind = node.file.isMicro ? 'micro' : `core api.${domain}`;
      terminal.result(`nobody is left on ${domain}; next: kato node setup ${kind}, for the first administrator`, {
        domain,
      });
    });
}

async function confirm(terminal: Terminal, { yes }: Flags, message: string): Promise<void> {
  if (yes) return;
  const refusal = new Refusal('this removes what can not be got back; nothing was changed', 'repeat it with --yes');
  if (!terminal.isInteractive) throw refusal;
  const { confirm: ask, isCancel } = await import('@clack/prompts');
  const answer = await ask({ message, initialValue: false });
  if (isCancel(answer) || !answer) throw refusal;
}
