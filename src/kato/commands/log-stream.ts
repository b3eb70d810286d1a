import type { Command } from 'commander';
import { subjects } from '../../contract/subjects.ts';
import { appLines, type DrainLine, systemLines } from '../../core/drain-line.ts';
import { isForDrain, isLogKey } from '../../core/log-drain.ts';
import { formatSystemLine, printable, readSystemLine } from '../../core/system-line.ts';
import { systemClock } from '../../platform/clock.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { findTopology } from '../topology-file.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato log stream`. */
export function streamCommand(group: Command, context: CommandContext): void {
  group
    .command('stream')
    .argument('<key...>', 'apptail, apptail.APP-GUID, systail, systail.PROCESS or systail.PROCESS.ADDRESS')
    .summary('follows lines of apps or processes in the whole cluster')
    .description(
      describe(
        'Shows lines of apps (apptail) and of the platform’s processes (systail) as they come, until it is interrupted. The keys are those of the filters of drains. It runs on the Core.',
        'kato log stream apptail',
        'kato log stream systail.dea systail.stager --json',
      ),
    )
    .action(async (keys: string[], _options: unknown, command: Command) => {
      const wrong = keys.find((key) => !isLogKey(key));
      if (wrong !== undefined) throw new Refusal(`'${wrong}' is no key`, 'for example apptail or systail.dea');
      const { file, paths } = await openNode();
      if (!file.roles.includes('primary')) {
        throw new Refusal(
          'only the Core hears the whole cluster',
          `run it there (${file.coreAddress}), or kato log tail`,
        );
      }
      const node = await openNode();
      await using probe = new ReadinessProbe(node);
      const bus = await probe.bus();
      if (bus === undefined) throw new Refusal('the bus does not answer', 'run `kato status`');
      const topology = file.isMicro ? undefined : await findTopology(paths);
      const addresses = new Map([
        [file.id, file.address],
        ...(topology?.nodes ?? []).map(({ id, address }) => [id, address] as const),
      ]);
      const terminal = terminalOf(command);
      const show = (lines: readonly DrainLine[]) => {
        for (const line of lines) {
          if (!isForDrain(keys, line.key)) continue;
          const { key, atMs, text, fields } = line;
          terminal.result(inWords(line), { key, time: new Date(atMs).toISOString(), ...fields, text });
        }
      };
      using _apps = bus.subscribe(subjects.appLog, ['*'], (said) => show(appLines(said, systemClock.nowMs())));
      using _processes = bus.subscribe(subjects.systemLog, ['*'], (said) =>
        show(systemLines(said, addresses.get(said.node) ?? said.node, systemClock.nowMs())),
      );
      await new Promise<void>((done) => {
        if (context.signal.aborted) done();
        context.signal.addEventListener('abort', () => done(), { once: true });
      });
    });
}

function inWords({ key, atMs, from, part, text }: DrainLine): string {
  if (key.startsWith('systail.')) return formatSystemLine(readSystemLine(from, text), part);
  return `${new Date(atMs).toISOString().slice(11, 23)} ${printable(from)} [${printable(part)}] ${printable(text)}`;
}
