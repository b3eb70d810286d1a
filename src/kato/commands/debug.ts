import type { Command } from 'commander';
import { subjects } from '../../contract/subjects.ts';
import { diffConfig } from '../../core/config-diff.ts';
import { isSecretName } from '../../core/redaction.ts';
import { findConfig, primaryIsSilent } from '../config-client.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato debug configwatch`. */
export function debugCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('debug')
    .summary('for those who look for a fault')
    .description(describe('For those who look for a fault.', 'kato debug configwatch'));
  group
    .command('configwatch')
    .summary('shows changes of settings as they come')
    .description(
      describe(
        'Shows changes of settings as they come, until it is interrupted.',
        'kato debug configwatch',
        'kato debug configwatch --json',
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      await using probe = new ReadinessProbe(node);
      const bus = await probe.bus();
      let known = bus === undefined ? undefined : await findConfig(bus);
      if (bus === undefined || known === undefined) throw primaryIsSilent();
      terminal.say(`watching; revision ${known.revision}. Ctrl-C ends it`);
      using _subscription = bus.subscribe(
        subjects.configChanged,
        [],
        async () => {
          const now = await findConfig(bus);
          if (now === undefined || known === undefined) return;
          for (const { path, before, after } of diffConfig(known.config, now.config)) {
            const isSecret = isSecretName(path);
            const show = (value: unknown) =>
              value === undefined ? 'not set' : isSecret ? '[hidden]' : JSON.stringify(value);
            const line = { revision: now.revision, path, before: show(before), after: show(after) };
            terminal.result(`${now.revision}  ${path}: ${line.before} → ${line.after}`, line);
          }
          known = now;
        },
        { serial: true },
      );
      await new Promise<void>((done) => {
        if (context.signal.aborted) done();
        context.signal.addEventListener('abort', () => done(), { once: true });
      });
    });
}
