import { hideSecrets, isSecretName } from './redaction.ts';

/** One run of kato, as it is remembered. */
export type CommandRecord = {
  readonly id: string;
  readonly atMs: number;
  /** Who ran it: an account, and where they came from. */
  readonly by: string;
  /** kato's arguments, without secrets. */
  readonly args: readonly string[];
  /** Exit code; undefined while it runs, or when it was cut off. */
  readonly code?: number;
  readonly tookMs?: number;
};

/** Commands that change nothing, by their first words. */
const LOOKS: readonly (readonly string[])[] = [
  ...['status', 'info', 'version', 'inspect', 'history', 'report', 'debug', 'help'].map((name) => [name]),
  ...[
    ['process', 'list'],
    ['process', 'ready'],
    ['role', 'info'],
    ['config', 'get'],
    ['data', 'check'],
    ['data', 'passphrase'],
    ['node', 'list'],
  ],
  ...[
    ['node', 'version'],
    ['op', 'custom_ssl_cert', 'list'],
    ['log', 'tail'],
    ['log', 'stream'],
    ['log', 'drain', 'list'],
    ['log', 'drain', 'status'],
    ['license', 'show'],
  ],
];

/** Does this command change something, so that it is remembered? `words` are the command's own names. */
export function isRecorded(words: readonly string[]): boolean {
  return !LOOKS.some((look) => look.every((word, at) => words[at] === word));
}

/** Arguments as they may be remembered: values of secret options and settings are hidden, passwords in URLs too. */
export function recordedArgs(args: readonly string[]): string[] {
  const isConfig = args.includes('config');
  return args.map((arg, at) => {
    const [name = '', value] = split(arg);
    if (name.startsWith('--') && value !== undefined && isSecretName(name)) return `${name}=[hidden]`;
    const before = args[at - 1] ?? '';
    const isOptionValue = /^--/.test(before) && !before.includes('=') && isSecretName(before);
    const isSettingValue = isConfig && before.includes('.') && isSecretName(before);
    if ((isOptionValue || isSettingValue) && arg !== '-' && !arg.startsWith('--')) return '[hidden]';
    return hideSecrets(arg, []);
  });
}

/** Puts beginnings and ends of runs together, oldest first; lines that were cut short are left out. */
export function readRecords(text: string): CommandRecord[] {
  const records = new Map<string, CommandRecord>();
  for (const line of text.split('\n')) {
    const part = parsePart(line);
    if (part === undefined) continue;
    const known = records.get(part.id);
    if (known !== undefined) records.set(part.id, { ...known, ...part });
    else if (part.args !== undefined && part.atMs !== undefined) {
      records.set(part.id, { by: '', ...part, args: part.args, atMs: part.atMs });
    }
  }
  return [...records.values()];
}

function parsePart(line: string): (Partial<CommandRecord> & { id: string }) | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
      ? (value as Partial<CommandRecord> & { id: string })
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function split(arg: string): [string, string | undefined] {
  const at = arg.indexOf('=');
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}
