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

/** Lets an instance's lines through up to its limits, and says when and how many it drops. */
export class LogLimit {
  readonly #lines: Bucket;
  readonly #bytes: Bucket | undefined;
  readonly #said: string;
  #dropped = 0;

  /** @param limits `bytesPerS` below 0 is no limit */
  constructor(limits: { linesPerS: number; bytesPerS: number }, nowMs: number) {
    this.#lines = new Bucket(limits.linesPerS, 5, nowMs);
    const isLimited = limits.bytesPerS >= 0;
    this.#bytes = isLimited ? new Bucket(limits.bytesPerS, 1, nowMs) : undefined;
    this.#said = isLimited ? `${limits.bytesPerS} bytes/sec` : `${limits.linesPerS} lines/sec`;
  }

  /** The lines that pass, and what to say about the others. */
  pass<T extends { readonly text: string }>(lines: readonly T[], nowMs: number): { passed: T[]; notices: string[] } {
    const passed: T[] = [];
    const notices: string[] = [];
    for (const line of lines) {
      const fits = (this.#bytes?.take(Buffer.byteLength(line.text), nowMs) ?? true) && this.#lines.take(1, nowMs);
      if (fits && this.#dropped > 0) {
        notices.push(`${this.#dropped} log lines of this instance were dropped`);
        this.#dropped = 0;
      }
      if (fits) passed.push(line);
      else if (this.#dropped++ === 0) notices.push(`app instance exceeded log rate limit (${this.#said})`);
    }
    return { passed, notices };
  }
}
