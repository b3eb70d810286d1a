type Known = {
  readonly hasInstances: boolean;
  /** Undefined while unheard; else the interval it told, ms, 0 when it told none. */
  readonly intervalMs: number | undefined;
};

/** The DEAs, and which of those with instances were heard since heartbeats come without a break. */
export class Roster {
  readonly #deas = new Map<string, Known>();
  #isComplete = false;

  /** Takes a predecessor's list; without one it can't be known who is missing. */
  recall(deas: readonly string[] | undefined): void {
    this.#isComplete = deas !== undefined;
    for (const dea of deas ?? []) {
      if (!this.#deas.has(dea)) this.#deas.set(dea, { hasInstances: true, intervalMs: undefined });
    }
  }

  /** There was a gap: all that have something to tell must be heard anew. */
  beginAgain(): void {
    for (const [dea, { hasInstances }] of this.#deas) {
      if (hasInstances) this.#deas.set(dea, { hasInstances, intervalMs: undefined });
      else this.#deas.delete(dea);
    }
  }

  hear(dea: string, told: { hasInstances: boolean; intervalMs: number | undefined }): void {
    this.#deas.set(dea, { hasInstances: told.hasInstances, intervalMs: told.intervalMs ?? 0 });
  }

  remove(dea: string): void {
    this.#deas.delete(dea);
  }

  /** Those that had instances when they were last heard. */
  list(): string[] {
    return [...this.#deas].flatMap(([dea, { hasInstances }]) => (hasInstances ? [dea] : [])).sort();
  }

  /** The longest interval of the DEAs, ms; undefined unless all were heard and told theirs. */
  allHeardEveryMs(): number | undefined {
    if (!this.#isComplete || this.#deas.size === 0) return undefined;
    let longestMs = 0;
    for (const { intervalMs } of this.#deas.values()) {
      if (!intervalMs) return undefined;
      longestMs = Math.max(longestMs, intervalMs);
    }
    return longestMs;
  }
}
