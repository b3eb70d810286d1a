import { appendFile, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandRecord, readRecords, recordedArgs } from '../core/command-record.ts';
import { systemClock } from '../platform/clock.ts';
import { environment } from '../platform/config.ts';
import { exists, isMissing, readTextIfExists } from '../platform/files.ts';
import { systemRandom } from '../platform/random.ts';

const LARGEST_BYTES = 4 * 1024 * 1024;

/** Where a node remembers the commands that were run on it. */
function historyFile(state: string): string {
  return join(state, 'history.jsonl');
}

/** Remembers that a command begins; gives what remembers its end. A full disk must not keep anybody from acting. */
export async function rememberCommand(
  args: readonly string[],
  state = environment.state,
): Promise<(code: number) => Promise<void>> {
  // Only root changes anything; others are refused by the command itself.
  if (process.getuid?.() !== 0) return async () => {};
  const id = systemRandom.hex(8);
  const atMs = systemClock.nowMs();
  const write = async (part: Partial<CommandRecord>) => {
    try {
      await append(state, part);
    } catch (error) {
      process.stderr.write(`kato: this is not remembered for \`kato history\`: ${(error as Error).message}\n`);
    }
  };
  const begun = { id, atMs, by: await whoRuns(), args: recordedArgs(args) };
  // A set-up that is refused leaves the machine as it was.
  const isSetUp = await exists(state);
  if (isSetUp) await write(begun);
  return async (code) => {
    // Also when the command removed all of it.
    if (!(await exists(state))) return;
    if (!isSetUp) await write(begun);
    await write({ id, code, tookMs: systemClock.nowMs() - atMs });
  };
}

/** What was run on this node, oldest first. */
export async function readHistory(state: string): Promise<CommandRecord[]> {
  const texts = [await readTextIfExists(`${historyFile(state)}.1`), await readTextIfExists(historyFile(state))];
  return readRecords(texts.filter((text) => text !== undefined).join('\n'));
}

async function append(state: string, part: Partial<CommandRecord>): Promise<void> {
  const file = historyFile(state);
  await rotate(file);
  // Made for root alone; an existing one keeps its rights.
  await (await open(file, 'a', 0o600)).close();
  await appendFile(file, `${JSON.stringify(part)}\n`);
}

async function rotate(file: string): Promise<void> {
  try {
    if ((await stat(file)).size > LARGEST_BYTES) await rename(file, `${file}.1`);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** The account behind sudo or the login, and the address it came from. */
async function whoRuns(): Promise<string> {
  const { SUDO_USER, LOGNAME, USER, SSH_CONNECTION } = environment.all();
  if (environment.stackato('COMMAND') !== undefined) return 'kato on the Core';
  const loginUid = (await readTextIfExists('/proc/self/loginuid'))?.trim();
  const byLogin =
    loginUid === undefined || loginUid === '4294967295' || loginUid === '0' ? undefined : `uid ${loginUid}`;
  const name = SUDO_USER || byLogin || LOGNAME || USER || 'root';
  const from = SSH_CONNECTION?.split(' ')[0];
  return from === undefined ? name : `${name} from ${from}`;
}
