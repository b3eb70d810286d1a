import { coreSettings } from '../../contract/config.ts';
import { type Moved, moveDatabase } from '../data/move-database.ts';
import { inWords } from '../data/other-controllers.ts';
import { refuseUnfinished } from '../data/unfinished.ts';
import { openNode } from '../node.ts';
import { readSecrets } from '../setup/secrets.ts';
import type { Terminal } from '../terminal.ts';
import type { CommandContext } from './command.ts';

/** Is this a setting that the Core keeps itself? */
export function isCoreSetting(path: string): boolean {
  return Object.hasOwn(coreSettings, path);
}

/** Moves the control database to where the setting leads; back to the Core without a value. */
export async function setDatabaseUrl(
  url: string | undefined,
  { terminal, context }: { terminal: Terminal; context: CommandContext },
): Promise<void> {
  const node = await openNode();
  await refuseUnfinished(node.paths, ['move']);
  const done: Moved = await moveDatabase(node, url, { say: terminal.say, signal: context.signal });
  const text =
    done.from === done.to
      ? `the control database is on ${done.to}`
      : `moved ${done.rows} rows from ${done.from} to ${done.to}; what is left on ${done.from} is closed, and not needed`;
  terminal.result([text, ...inWords(done.controllersAway)].join('\n'), done);
  if (done.controllersAway.length > 0) context.outcome.code = 1;
}

/** Whether the control database is on a server of the operator's; the URL is not shown. */
export async function describeDatabaseUrl(): Promise<string> {
  const { databaseServer } = await readSecrets((await openNode()).paths);
  return databaseServer === undefined ? 'not set' : 'set; its value is not shown';
}
