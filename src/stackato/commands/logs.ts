import type { Command } from 'commander';
import { formatLine, LogTail } from '../actions/log-tail.ts';
import { getApp } from '../api/apps.ts';
import { type LogLine, readLogs } from '../api/logs.ts';
import { ClientError } from '../client-error.ts';
import { type Context, enterSpace } from '../context.ts';
import { harmless } from '../terminal.ts';
import { appNameOf } from './app-name.ts';
import { define, globalsOf, type Run } from './command.ts';

type LogsOptions = {
  readonly follow?: boolean;
  readonly num: string;
  readonly source?: string;
  readonly instance?: string;
  readonly text?: string;
};

const MOST = 1000;

/** logs. */
export function logsCommand(program: Command, run: Run): void {
  define(program, 'logs [name]', {
    summary: 'Show the recent log of an app, or follow it',
    examples: ['logs demo', 'logs demo --follow', 'logs demo --num 20 --source APP --text error'],
  })
    .option('-f, --follow', 'go on telling new lines until interrupted')
    .option('--recent', 'only what was said so far; that is so anyway')
    .option('--num <count>', 'how many recent lines', '100')
    .option('--source <prefix>', 'only lines from sources that start so: APP, STG, RTR, API')
    .option('--instance <index>', 'only lines of this instance')
    .option('--text <text>', 'only lines that contain this')
    .action((name: string | undefined, options: LogsOptions, command: Command) =>
      run(globalsOf(command), (context) => logs(context, name, options)),
    );
}

async function logs(context: Context, given: string | undefined, options: LogsOptions): Promise<void> {
  const { terminal, clock, signal } = context;
  const num = Number(options.num);
  if (!Number.isSafeInteger(num) || num < 0 || num > MOST) {
    throw new ClientError(`--num must be a number from 0 to ${MOST}, not '${options.num}'`, { exitCode: 2 });
  }
  const { api, space, entry } = await enterSpace(context);
  const app = await getApp(api, space, await appNameOf(context, given));
  const isWanted = filterOf(options);
  const isFiltered = options.source !== undefined || options.instance !== undefined || options.text !== undefined;
  const limit = isFiltered || options.follow ? MOST : Math.max(1, num);
  const known = await readLogs(api, entry.logCache, { appGuid: app.guid, sinceNs: 1n, limit });
  const recent = num === 0 ? [] : known.filter(isWanted).slice(-num);
  if (!options.follow) {
    terminal.answer(recent.map(forJson), () => {
      for (const line of recent) terminal.say(formatLine(terminal, line));
      if (recent.length === 0) terminal.note(`${app.name} has said nothing${isFiltered ? ' like that' : ''} so far`);
    });
    return;
  }
  // One JSON document a line: a log that does not end can't be one document.
  const tell = (line: LogLine) => {
    if (!isWanted(line)) return;
    if (terminal.isJson) terminal.write(`${JSON.stringify(forJson(line))}\n`);
    else terminal.say(formatLine(terminal, line));
  };
  recent.forEach(tell);
  await using tail = new LogTail({
    api,
    logCache: entry.logCache,
    appGuid: app.guid,
    clock,
    signal,
    sinceNs: 1n,
    known,
    onLine: tell,
  });
  await tail.ended();
}

function filterOf({ source, instance, text }: LogsOptions): (line: LogLine) => boolean {
  return (line) =>
    (source === undefined || line.source.toUpperCase().startsWith(source.toUpperCase())) &&
    (instance === undefined || line.instance === instance) &&
    (text === undefined || line.text.includes(text));
}

function forJson({ atNs, ...line }: LogLine) {
  return { timestamp: atNs, ...line, text: harmless(line.text) };
}
