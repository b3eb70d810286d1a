import type { Readable, Writable } from 'node:stream';
import { ClientError, Interrupted } from './client-error.ts';

type Stream = Writable & { isTTY?: boolean; columns?: number };
export type TerminalOptions = {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly stdin: Readable & { isTTY?: boolean };
  readonly noColor: boolean;
};
export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const CODES: Readonly<Record<Paint, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/**
 * Where the command speaks: people on standard output, or with `--json` one document there and the words on
 * standard error. Without a terminal nothing asks, moves or is coloured.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  isJson = false;
  canAsk: boolean;
  #moving = '';

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.canAsk = Boolean(options.stdin.isTTY && options.stdout.isTTY);
  }

  get stdin(): Readable {
    return this.#options.stdin;
  }

  get isLive(): boolean {
    return Boolean(this.#words.isTTY);
  }

  /** A line for people. */
  say(line = ''): void {
    this.#clear();
    this.#words.write(`${line}\n`);
  }

  /** A line that is not part of the answer: warnings, hints, failures. */
  note(line: string): void {
    this.#clear();
    this.#options.stderr.write(`${line}\n`);
  }

  /** The command's answer: one JSON document, or what `show` says. */
  answer(value: unknown, show: () => void): void {
    this.#clear();
    if (this.isJson) this.#options.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    else show();
  }

  /** Raw output, as it came. */
  write(text: string | Buffer): void {
    this.#clear();
    this.#options.stdout.write(text);
  }

  /** Shows a line that is replaced by the next one; only on a terminal. */
  progress(line: string): void {
    if (!this.isLive) return;
    const width = Math.max(20, (this.#words.columns ?? 80) - 1);
    this.#clear();
    this.#moving = line.slice(0, width);
    this.#words.write(this.#moving);
  }

  paint(text: string, ...styles: readonly Paint[]): string {
    if (this.#options.noColor || !this.isLive) return text;
    return `\u001b[${styles.map((style) => CODES[style]).join(';')}m${text}\u001b[0m`;
  }

  /** Rows in columns; the last one is not padded. Colours count for nothing. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void {
    const all = [header, ...rows];
    const widths = header.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? '').length)));
    for (const [index, row] of all.entries()) {
      const cells = row.map((cell, column) => {
        const gap = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - visible(cell).length);
        return `${index === 0 ? this.paint(cell, 'bold') : cell}${gap}`;
      });
      this.say(cells.join('   ').trimEnd());
    }
  }

  /** @throws ClientError without a terminal, naming the option to use */
  async ask(question: string, instead: string): Promise<string> {
    this.#requireAsking(question, instead);
    const { text } = await import('@clack/prompts');
    return answered(await text({ message: question, validate: (value) => (value ? undefined : 'Say something') }));
  }

  async askSecret(question: string, instead: string): Promise<string> {
    this.#requireAsking(question, instead);
    const { password } = await import('@clack/prompts');
    return answered(await password({ message: question, mask: '•' }));
  }

  async confirm(question: string, instead: string): Promise<boolean> {
    this.#requireAsking(question, instead);
    const { confirm } = await import('@clack/prompts');
    return answered(await confirm({ message: question, initialValue: false }));
  }

  async choose<T extends string>(
    question: string,
    options: readonly { value: T; label: string }[],
    instead: string,
  ): Promise<T> {
    this.#requireAsking(question, instead);
    const { select } = await import('@clack/prompts');
    const choices = options.map(({ value, label }) => ({ value: value as string, label }));
    return answered(await select<string>({ message: question, options: choices })) as T;
  }

  #requireAsking(question: string, instead: string): void {
    if (!this.canAsk) throw new ClientError(`Can't ask "${question}" here`, { next: instead, exitCode: 2 });
  }

  get #words(): Stream {
    return this.isJson ? this.#options.stderr : this.#options.stdout;
  }

  #clear(): void {
    if (this.#moving === '') return;
    this.#words.write('\r\u001b[2K');
    this.#moving = '';
  }
}

/** Text from apps and servers without what would steer the terminal. */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[[0-9;]*m)/g, '�');
}

function answered<T>(value: T): Exclude<T, symbol> {
  if (typeof value === 'symbol') throw new Interrupted('Nothing was changed.');
  return value as Exclude<T, symbol>;
}

function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape starts a colour
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}
