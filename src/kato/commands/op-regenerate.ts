import type { Command } from 'commander';
import { planRegeneration, regenerationDescriptions, regenerationTargets } from '../../core/regeneration.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { regenerate } from '../regenerate.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato op regenerate`. */
export function regenerateCommand(group: Command, context: CommandContext): void {
  const targets = regenerationTargets.map((one) => `  ${one.padEnd(22)}${regenerationDescriptions[one]}`);
  group
    .command('regenerate')
    .argument('<secret...>', `all, or ${regenerationTargets.join(', ')}`)
    .summary('makes secrets of this node anew')
    .description(
      describe(
        'Makes passwords, keys and certificates of this node anew and restarts what holds them. Apps go on.',
        'kato op regenerate bus',
        'kato op regenerate all',
        'kato op regenerate bus ssl_cert -n all',
      ).concat(`\n\nSecrets:\n${targets.join('\n')}`),
    )
    .action(async (names: string[], _flags: unknown, command: Command) => {
      const node = await openNode();
      const plan = planRegeneration(names, { isCore: node.file.roles.includes('primary') });
      if ('refused' in plan) throw new Refusal(plan.refused, plan.next);
      const terminal = terminalOf(command);
      const done = await regenerate(node, plan, { say: terminal.say, signal: context.signal });
      const away = done.nodes.filter((other) => !other.done);
      const lines = [
        `made anew: ${done.targets.join(', ')}`,
        done.restarted.length === 0 ? 'nothing had to be restarted' : `restarted ${done.restarted.join(', ')}`,
        ...away.map(({ address, because }) => `${address} does not know yet (${because}): kato node update there`),
      ];
      terminal.result(lines.join('\n'), done);
      if (away.length > 0) context.outcome.code = 1;
    });
}
