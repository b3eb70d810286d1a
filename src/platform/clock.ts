/** Time, as everything that waits sees it. Tests use FakeClock; nothing else reads the time. */
export interface Clock {
  /** Epoch, ms. */
  nowMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs `task` every `ms`, never twice at once, until disposed. The first run is one interval away. */
  every(ms: number, task: () => unknown): Disposable;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
  every: (ms, task) => {
    let busy = false;
    const timer = setInterval(async () => {
      if (busy) return;
      busy = true;
      try {
        await task();
      } finally {
        busy = false;
      }
    }, ms);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
};

/** Waits `ms`; false when the signal ended the wait. */
export async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

type Waiter = { atMs: number; fire: () => unknown };

/** A clock that moves only when told to. */
export class FakeClock implements Clock {
  #now: number;
  #waiters: Waiter[] = [];

  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs;
  }

  nowMs(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const waiter = { atMs: this.#now + ms, fire: resolve };
      this.#waiters.push(waiter);
      signal?.addEventListener(
        'abort',
        () => {
          this.#remove(waiter);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  every(ms: number, task: () => unknown): Disposable {
    const waiter: Waiter = {
      atMs: this.#now + ms,
      fire: () => {
        waiter.atMs += ms;
        this.#waiters.push(waiter);
        return task();
      },
    };
    this.#waiters.push(waiter);
    return { [Symbol.dispose]: () => this.#remove(waiter) };
  }

  /** Moves time forward, firing what falls due in order and letting what it started settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = this.#waiters.filter((w) => w.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.#remove(due);
      this.#now = Math.max(this.#now, due.atMs);
      await due.fire();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #remove(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((w) => w !== waiter);
  }
}

/** Lets every promise that is already resolvable run to its next real wait. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
