import type { Command } from 'commander';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { type Relocatable, relocatables, relocate } from '../relocate.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato relocate`. */
export function relocateCommand(program: Command, context: CommandContext): void {
  program
    .command('relocate')
    .argument('<what>', `one of ${relocatables.join(', ')}`)
    .argument('<folder>', 'a folder on the other disk')
    .summary('moves data of this node to another disk')
    .description(
      describe(
        'Moves the containers, the packages and droplets, or the databases of this node to another disk. What uses them is stopped meanwhile;\nkato node retire before it moves apps elsewhere first. Safe to repeat, also when it was interrupted.',
        'kato relocate containers /mnt/ssd',
        'kato relocate droplets /mnt/large',
        'kato relocate services /mnt/ssd',
      ),
    )
    .action(async (what: string, folder: string, _options: unknown, command: Command) => {
      const known = relocatables.find((one) => one === what);
      if (known === undefined) throw new Refusal(`'${what}' is none of ${relocatables.join(', ')}`);
      if (!folder.startsWith('/')) throw new Refusal(`'${folder}' is no absolute path`, 'for example /mnt/ssd');
      const terminal = terminalOf(command);
      const node = await openNode();
      const place = await relocate(node, known as Relocatable, folder, { say: terminal.say, signal: context.signal });
      terminal.result(`${known} are at ${place}`, { what: known, path: place });
    });
}
