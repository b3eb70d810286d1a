import type { Command } from 'commander';
import { type CommandContext, describe } from './command.ts';
import { busUserCommand } from './op-bus-user.ts';
import { certificateCommand } from './op-certificate.ts';
import { firewallCommand } from './op-firewall.ts';
import { hostCommands } from './op-host.ts';
import { networkCommands } from './op-network.ts';
import { regenerateCommand } from './op-regenerate.ts';

/** `kato op …`: single operations on this machine. */
export function opCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('op')
    .summary('operations on this machine')
    .description(describe('Operations on this machine.', 'kato op firewall', 'kato op firewall --off'));
  firewallCommand(group);
  certificateCommand(group);
  busUserCommand(group);
  regenerateCommand(group, context);
  hostCommands(group);
  networkCommands(group);
}
