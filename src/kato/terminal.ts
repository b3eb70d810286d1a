import { styleText } from 'node:util';
import { stringify } from 'yaml';
import { environment } from '../platform/config.ts';

/** Where kato's results and progress go: results to standard output, everything else to standard error. */
export type Terminal = {
  /** The command's result: text for people, or one document with `--json` or `--yaml`. */
  readonly result: (text: string, value: unknown) => void;
  /** Progress for people; silent with `--json` and `--yaml`. */
  readonly say: (text: string) => void;
  /** How far something has come: one line that the next replaces, where standard error is a terminal. */
  readonly progress: (text: string) => void;
  /** Does `progress` replace its line? */
  readonly isTransient: boolean;
  readonly isInteractive: boolean;
};

const CLEAR_LINE = '\r\x1b[K';

export function terminal(format: 'text' | 'json' | 'yaml'): Terminal {
  const isText = format === 'text';
  const isTransient = Boolean(process.stderr.isTTY) && !environment.ci;
  const clear = isTransient ? CLEAR_LINE : '';
  const say = (text: string) => void (isText && process.stderr.write(`${clear}${text}\n`));
  return {
    result: (text, value) =>
      void process.stdout.write(
        isText ? `${text}\n` : format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringify(value),
      ),
    say,
    progress: isTransient ? (text) => void (isText && process.stderr.write(`${clear}${text}`)) : say,
    isTransient,
    isInteractive: Boolean(process.stdin.isTTY && process.stderr.isTTY) && !environment.ci && isText,
  };
}

/** Columns aligned, two spaces apart; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A state in its colour, when standard output shows colours. */
export function coloured(state: string): string {
  if (environment.noColor || !process.stdout.isTTY) return state;
  const word = state.trim();
  const colour =
    word === 'READY' || word === 'RUNNING' ? 'green' : /^(STARTING|WAITING|PARTIAL)$/.test(word) ? 'yellow' : 'red';
  return styleText(colour, state);
}

/** `850 ms`, `12.3 s`, `2 min 5 s`. */
export function formatElapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
