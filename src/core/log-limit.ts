import { formatBytes } from '../contract/units.ts';

/** A bucket that fills at a rate; a burst of several seconds passes. */
class Bucket {
  readonly #perS: number;
  readonly #size: number;
  #level: number;
  #atMs: number;

  constructor(perS: number, burstS: number, nowMs: number) {
    this.#perS = perS;
    this.#size = perS * burstS;
    this.#level = this.#size;
    this.#atMs = nowMs;
  }

  take(amount: number, nowMs: number): boolean {
    this.#level = Math.min(this.#size, this.#level + ((nowMs - this.#atMs) / 1000) * this.#perS);
    this.#atMs = nowMs;
    if (this.#level < amount) return false;
    this.#level -= amount;
    return true;
  }
}

/** A burst of so long at the full rate passes. */
const BURST_S = 5;

export type LogLimits = {
  /** Whose lines they are, for what is said: an app's instance by default. */
  readonly who?: 'app instance' | 'staging';
  /** What the platform carries of one instance. */
  readonly linesPerS: number;
  readonly platformBytesPerS: number;
  /** What its owner allowed it; below 0 is no limit. */
  readonly bytesPerS: number;
};

/** Lets the lines of an instance or a staging through up to their limits, says when it drops lines, and counts them. */
export class LogLimit {
  readonly #buckets: readonly { readonly bucket: Bucket; readonly isLines: boolean; readonly name: string }[];
  readonly #who: 'app instance' | 'staging';
  #dropped = { lines: 0, bytes: 0 };
  #isExceeded = false;

  constructor({ who = 'app instance', linesPerS, platformBytesPerS, bytesPerS }: LogLimits, nowMs: number) {
    this.#who = who;
    const own = { bucket: new Bucket(bytesPerS, 1, nowMs), isLines: false, name: `${bytesPerS} bytes/sec` };
    this.#buckets = [
      ...(bytesPerS >= 0 ? [own] : []),
      { bucket: new Bucket(linesPerS, BURST_S, nowMs), isLines: true, name: `${linesPerS} lines/sec` },
      {
        bucket: new Bucket(platformBytesPerS, BURST_S, nowMs),
        isLines: false,
        name: `${platformBytesPerS} bytes/sec`,
      },
    ];
  }

  /** Were lines dropped that `tell` has not told of, or just now? */
  get isExceeded(): boolean {
    return this.#isExceeded;
  }

  /** The lines that pass; with the first that does not, why. */
  pass<T extends { readonly text: string }>(
    lines: readonly T[],
    nowMs: number,
  ): { readonly passed: T[]; readonly notice: string | undefined } {
    const passed: T[] = [];
    let notice: string | undefined;
    for (const line of lines) {
      const bytes = new TextEncoder().encode(line.text).length;
      const exceeded = this.#buckets.find(({ bucket, isLines }) => !bucket.take(isLines ? 1 : bytes, nowMs));
      if (exceeded === undefined) {
        passed.push(line);
        continue;
      }
      this.#dropped.lines += 1;
      this.#dropped.bytes += bytes;
      if (!this.#isExceeded) notice = `${this.#who} exceeded log rate limit (${exceeded.name})`;
      this.#isExceeded = true;
    }
    return { passed, notice };
  }

  /** How much was dropped since this was asked last; nothing to tell ends the excess. */
  tell(): string | undefined {
    const { lines, bytes } = this.#dropped;
    this.#dropped = { lines: 0, bytes: 0 };
    this.#isExceeded = lines > 0;
    if (lines === 0) return undefined;
    return `dropped ${lines} log line${lines === 1 ? '' : 's'} (${formatBytes(bytes)}) of this ${this.#who === 'staging' ? 'staging' : 'instance'}`;
  }
}
