/** One line of a log of the platform's own processes. */
export type SystemLine = {
  /** The process that said it; several of them may write to one log. */
  readonly process: string;
  /** Epoch ms; undefined when the line does not say. */
  readonly atMs: number | undefined;
  readonly level: string | undefined;
  readonly text: string;
};

/** `2026-11-21 22:34:01.954` and `2026/11/21 22:34:01`, as other programs write it. */
const TIME = /(\d{4})[-/](\d{2})[-/](\d{2})[ T](\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?)/;

/**
 * Reads a line: our own processes write JSON, others text.
 *
 * @param log name of the log: that of the process, unless the line says another
 */
export function readSystemLine(log: string, line: string): SystemLine {
  const record = line.startsWith('{') ? parsed(line) : undefined;
  if (record === undefined) {
    const [, year, month, day, time] = TIME.exec(line) ?? [];
    const atMs = year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${time}Z`);
    return { process: log, atMs, level: undefined, text: printable(line) };
  }
  const { level, time, process, msg, ...fields } = record;
  const atMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  const values = Object.entries(fields).map(([name, value]) => `${name}=${formatField(value)}`);
  return {
    process: typeof process === 'string' ? process : log,
    atMs: Number.isNaN(atMs) ? undefined : atMs,
    level: typeof level === 'string' ? level : undefined,
    text: printable([typeof msg === 'string' ? msg : '', ...values].filter(Boolean).join(' ')),
  };
}

/** The line as people read it; `node` where there are several. */
export function formatSystemLine(line: SystemLine, node?: string): string {
  const { process, atMs, level, text } = line;
  const time = atMs === undefined ? undefined : new Date(atMs).toISOString().slice(11, 23);
  return [time, node, process, level === 'info' ? undefined : level, text].filter(Boolean).join(' ');
}

function formatField(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message);
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
}

/** A text with nothing in it that a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trimEnd();
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
