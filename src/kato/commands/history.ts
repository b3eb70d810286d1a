import type { Command } from 'commander';
import { readHistory } from '../history-file.ts';
import { openNode } from '../node.ts';
import { formatElapsed, table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato history`. */
export function historyCommand(program: Command, _context: CommandContext): void {
  program
    .command('history')
    .option('--last <n>', 'how many', '50')
    .summary('what was changed on this node, by whom and when')
    .description(
      describe(
        'Shows the commands that changed this node or, from here, the cluster: when, by whom, and how they ended.\nSecrets are not remembered.',
        'kato history',
        'kato history --last 500 --json',
      ),
    )
    .action(async ({ last }: { last: string }, command: Command) => {
      const { paths } = await openNode();
      const count = Math.max(1, Number.parseInt(last, 10) || 50);
      const records = (await readHistory(paths.state)).slice(-count);
      const rows = records.map(({ atMs, by, args, code, tookMs }) => [
        new Date(atMs).toISOString().slice(0, 19).replace('T', ' '),
        by,
        code === undefined ? 'not finished' : code === 0 ? 'done' : `failed (${code})`,
        tookMs === undefined ? '' : formatElapsed(tookMs),
        `kato ${args.join(' ')}`,
      ]);
      const text = table([['WHEN (UTC)', 'BY', 'RESULT', 'TOOK', 'COMMAND'], ...rows]);
      terminalOf(command).result(rows.length > 0 ? text : 'nothing was changed yet', records);
    });
}
