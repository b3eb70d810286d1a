/** One kept line. `atNs` is the place in the app's log: epoch ns, made strictly increasing. */
export type KeptLine = {
  readonly atNs: bigint;
  readonly source: string;
  readonly instance: string;
  readonly type: 'OUT' | 'ERR';
  readonly text: string;
  readonly tags: Readonly<Record<string, string>>;
};

export type ReadQuery = {
  /** Inclusive, epoch ns. */
  readonly startNs: bigint;
  /** Exclusive, epoch ns. */
  readonly endNs: bigint;
  readonly limit: number;
  /** The newest lines, newest first; else the oldest, oldest first. */
  readonly isDescending: boolean;
};

/** What a line costs in memory beside its text, bytes. */
const LINE_OVERHEAD = 160;

/** The recent lines of one app, in the order of their arrival, bounded in number and in bytes. */
export class LogRing {
  readonly #capacity: number;
  readonly #maxBytes: number;
  #lines: (KeptLine | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  #lastNs = 0n;
  #expired = 0;

  constructor(limits: { lines: number; bytes: number }) {
    this.#capacity = limits.lines;
    this.#maxBytes = limits.bytes;
  }

  get size(): number {
    return this.#lines.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Lines that had to make room. */
  get expired(): number {
    return this.#expired;
  }

  get oldestNs(): bigint {
    return this.#lines[this.#first]?.atNs ?? 0n;
  }

  get newestNs(): bigint {
    return this.#lastNs;
  }

  /**
   * Adds a line at its time, or just after the line before it where clocks disagree, so that a reader who goes on
   * after the last time it saw misses nothing. A time in the future is taken as now.
   */
  add(line: KeptLine, nowNs: bigint): KeptLine {
    let atNs = line.atNs > nowNs ? nowNs : line.atNs;
    if (atNs <= this.#lastNs) atNs = this.#lastNs + 1n;
    const kept = atNs === line.atNs ? line : { ...line, atNs };
    this.#lastNs = atNs;
    this.#lines.push(kept);
    this.#bytes += sizeOf(kept);
    while (this.size > this.#capacity || (this.#bytes > this.#maxBytes && this.size > 1)) this.#drop();
    return kept;
  }

  read(query: ReadQuery): KeptLine[] {
    const from = this.#findAtOrAfter(query.startNs);
    const to = this.#findAtOrAfter(query.endNs);
    const start = query.isDescending ? Math.max(from, to - query.limit) : from;
    const found = this.#lines.slice(start, Math.min(to, start + query.limit)) as KeptLine[];
    return query.isDescending ? found.reverse() : found;
  }

  /** Every line, oldest first. */
  all(): KeptLine[] {
    return this.#lines.slice(this.#first) as KeptLine[];
  }

  /** The newest `count` lines, oldest first. */
  recent(count: number): KeptLine[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - count)) as KeptLine[];
  }

  #drop(): void {
    const line = this.#lines[this.#first];
    if (line) this.#bytes -= sizeOf(line);
    this.#lines[this.#first] = undefined;
    this.#first += 1;
    this.#expired += 1;
    // Moving everything down is paid for by the many drops before it.
    if (this.#first > this.#capacity) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  #findAtOrAfter(atNs: bigint): number {
    let low = this.#first;
    let high = this.#lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const line = this.#lines[middle];
      if (line && line.atNs < atNs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const sizeOf = (line: KeptLine) => LINE_OVERHEAD + line.text.length * 2;
