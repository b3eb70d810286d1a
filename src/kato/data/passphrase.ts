import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';

/** scrypt's cost for passphrases of people: 256 MB of memory, about a second. */
export const peopleLogN = 18;
/** For passphrases that a machine made, which nobody can guess. */
export const machineLogN = 12;

const SHORTEST = 12;

/**
 * The passphrase of an archive: from standard input, or asked for at a terminal, twice for a new one.
 *
 * @throws Refusal when there is none, or a new one is too short
 */
export async function readPassphrase(
  terminal: Terminal,
  options: { isStdin: boolean; isNew: boolean },
): Promise<string> {
  const given = options.isStdin ? await readStandardInput() : await ask(terminal, options.isNew);
  if (options.isNew && [...given].length < SHORTEST) {
    throw new Refusal(
      `a passphrase has at least ${SHORTEST} characters: the archive holds every secret of the platform`,
      'take several words',
    );
  }
  return given;
}

async function ask(terminal: Terminal, isNew: boolean): Promise<string> {
  if (!terminal.isInteractive) {
    throw new Refusal('the archive needs a passphrase', 'give it on standard input, with --passphrase-stdin');
  }
  const { password, isCancel } = await import('@clack/prompts');
  const one = async (message: string) => {
    const answer = await password({ message, mask: '•' });
    if (isCancel(answer)) throw new Refusal('interrupted; nothing was changed');
    return answer ?? '';
  };
  const first = await one(isNew ? 'A passphrase for the archive' : 'The passphrase of the archive');
  if (isNew && (await one('Once more')) !== first) throw new Refusal('the two passphrases differ', 'run it again');
  return first;
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '') throw new Refusal('--passphrase-stdin: standard input is empty', '… --passphrase-stdin < file');
  return text;
}
