import { resolve } from 'node:path';
import type { Command } from 'commander';
import { platformVersion } from '../../contract/version.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { readHistory } from '../history-file.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { writeReport } from '../report/report.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { inspectNode } from './inspect.ts';

/** `kato report`. */
export function reportCommand(program: Command, context: CommandContext): void {
  program
    .command('report')
    .option('--output <file>', 'the archive (default: stackato-report-NODE-TIME.tar.gz here)')
    .summary('an archive for who is to help, without secrets')
    .description(
      describe(
        'Writes an archive for who is to help: logs, settings, states, and what the machine says of itself. Passwords, keys\nand tokens are left out. Look through it before you give it away: logs have names, addresses and paths.',
        'kato report',
        'kato report --output /tmp/report.tar.gz',
      ),
    )
    .action(async ({ output }: { output?: string }, command: Command) => {
      const node = await openNode();
      const terminal = terminalOf(command);
      const time = new Date(systemClock.nowMs()).toISOString().slice(0, 19).replaceAll(':', '');
      const name = `stackato-report-${node.file.index}-${time}`;
      await using probe = new ReadinessProbe(node);
      const documents = {
        'about.json': { version: platformVersion, nodejs: process.version, ...node.file },
        'status.json': await probe.look(listProcesses(node.file)),
        'inspect.json': await inspectNode(node, probe),
        'history.json': await readHistory(node.paths.state),
      };
      const path = resolve(output ?? `${name}.tar.gz`);
      const { files, missing, bytes } = await writeReport(node, { name, path, documents, signal: context.signal });
      for (const one of missing) terminal.say(`left out: ${one}`);
      terminal.result(`${path} (${files.length} files, ${Math.ceil(bytes / 1024)} KB)`, {
        path,
        files,
        missing,
        bytes,
      });
    });
}
