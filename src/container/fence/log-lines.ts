import type { OutputLine } from '../container.ts';

/** A longer line is handed on in pieces of about this size. */
export const LONGEST_LINE_BYTES = 65_536;

const NEWLINE = 10;
const SPACE = 32;

type Pending = { pieces: Buffer[]; bytes: number; atNs: bigint };

/**
 * Reads conmon's `k8s-file` format, piece by piece: `<time> <stdout|stderr> <F|P> <text>`, where P means that the
 * line goes on in the stream's next entry.
 */
export class LogParser {
  #rest: Buffer = Buffer.alloc(0);
  readonly #pending = new Map<OutputLine['stream'], Pending>();
  #second = { text: '', ns: 0n };

  /** Bytes taken in that are no complete entry yet. */
  get restBytes(): number {
    return this.#rest.length;
  }

  /** Is part of a line waiting for its end? */
  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  push(chunk: Buffer): OutputLine[] {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const lines: OutputLine[] = [];
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      this.#entry(data.subarray(start, end), lines);
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    return lines;
  }

  /** What is left when nothing follows: lines without an end. */
  end(): OutputLine[] {
    const lines: OutputLine[] = [];
    for (const [stream, pending] of this.#pending) lines.push(lineOf(stream, pending));
    this.#pending.clear();
    return lines;
  }

  #entry(entry: Buffer, lines: OutputLine[]): void {
    const afterTime = entry.indexOf(SPACE);
    const isError = entry[afterTime + 4] === 'e'.charCodeAt(0);
    const stream = isError ? 'stderr' : 'stdout';
    const text = entry.subarray(afterTime + 10);
    const isWhole = entry[afterTime + 8] === 'F'.charCodeAt(0);
    const before = this.#pending.get(stream);
    if (isWhole && !before) {
      lines.push({ stream, text: text.toString('utf8'), atNs: this.#time(entry, afterTime) });
      return;
    }
    const pending = before ?? { pieces: [], bytes: 0, atNs: this.#time(entry, afterTime) };
    pending.pieces.push(Buffer.from(text));
    pending.bytes += text.length;
    if (isWhole || pending.bytes >= LONGEST_LINE_BYTES) {
      lines.push(lineOf(stream, pending));
      this.#pending.delete(stream);
    } else this.#pending.set(stream, pending);
  }

  /** `2026-01-02T03:04:05.123456789+00:00`; the whole seconds repeat, so the last are remembered. */
  #time(entry: Buffer, length: number): bigint {
    const second = entry.toString('latin1', 0, 19) + entry.toString('latin1', 29, length);
    if (second !== this.#second.text) {
      const ms = Date.parse(second);
      this.#second = { text: second, ns: Number.isNaN(ms) ? 0n : BigInt(ms) * 1_000_000n };
    }
    return this.#second.ns + BigInt(Number(entry.toString('latin1', 20, 29)) || 0);
  }
}

const lineOf = (stream: OutputLine['stream'], { pieces, atNs }: Pending): OutputLine => ({
  stream,
  text: Buffer.concat(pieces).toString('utf8'),
  atNs,
});
