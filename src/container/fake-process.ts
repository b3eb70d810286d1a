import type { Clock } from '../platform/clock.ts';
import type { ContainerSpec, Exit, OutputCursor, OutputLine, ProcessSpec } from './container.ts';

export type FakeSignal = 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP';

/** A main process as its script sees it. */
export interface FakeProcess {
  readonly spec: ContainerSpec;
  readonly process: ProcessSpec;
  readonly clock: Clock;
  /** Fires when the process has ended, whatever ended it. */
  readonly stopped: AbortSignal;
  readonly ended: Promise<Exit>;
  /** Prints one line. */
  print(text: string, stream?: 'stdout' | 'stderr'): void;
  /** Begins to listen on a port inside. */
  listen(port: number): void;
  /** Stops listening, as a process that hangs would seem to. */
  unlisten(port: number): void;
  /** Handles a signal; SIGKILL can't be handled. Without a handler a signal ends the process with 128 + its number. */
  on(signal: Exclude<FakeSignal, 'SIGKILL'>, handler: () => void): void;
  /** Ends the process; the first call counts. */
  exit(code: number, options?: { outOfMemory?: boolean }): void;
}

const SIGNAL_NUMBER: Readonly<Record<FakeSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export class FakeRun implements FakeProcess {
  readonly spec: ContainerSpec;
  readonly process: ProcessSpec;
  readonly clock: Clock;
  readonly ended: Promise<Exit>;
  readonly #stop = new AbortController();
  readonly #end = Promise.withResolvers<Exit>();
  readonly #lines: OutputLine[] = [];
  readonly #listening = new Set<number>();
  readonly #handlers = new Map<FakeSignal, () => void>();
  #wake = Promise.withResolvers<void>();

  constructor(given: { spec: ContainerSpec; process: ProcessSpec; clock: Clock }) {
    this.spec = given.spec;
    this.process = given.process;
    this.clock = given.clock;
    this.ended = this.#end.promise;
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  print(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    if (this.#stop.signal.aborted) return;
    const atNs = BigInt(this.clock.nowMs()) * 1_000_000n + BigInt(this.#lines.length % 1_000_000);
    this.#lines.push({ stream, text, atNs });
    this.#tell();
  }

  listen(port: number): void {
    if (!this.#stop.signal.aborted) this.#listening.add(port);
  }

  unlisten(port: number): void {
    this.#listening.delete(port);
  }

  isListening(port: number): boolean {
    return this.#listening.has(port);
  }

  on(signal: Exclude<FakeSignal, 'SIGKILL'>, handler: () => void): void {
    this.#handlers.set(signal, handler);
  }

  receive(signal: FakeSignal): void {
    const handler = this.#handlers.get(signal);
    if (handler && !this.#stop.signal.aborted) handler();
    else this.exit(128 + SIGNAL_NUMBER[signal]);
  }

  exit(code: number, options: { outOfMemory?: boolean } = {}): void {
    if (this.#stop.signal.aborted) return;
    this.#listening.clear();
    this.#end.resolve({ code, outOfMemory: options.outOfMemory ?? false, atMs: this.clock.nowMs() });
    this.#stop.abort(new Error('the process has ended'));
    this.#tell();
  }

  /** Its output from a cursor, whose offset counts lines here, until the end. */
  async *read(
    options: { from?: OutputCursor; signal?: AbortSignal; onCursor?: (cursor: OutputCursor) => void } = {},
  ): AsyncIterable<OutputLine[]> {
    let offset = options.from?.offset ?? 0;
    const aborted = Promise.withResolvers<void>();
    options.signal?.addEventListener('abort', () => aborted.resolve(), { once: true });
    while (!options.signal?.aborted) {
      const { promise } = this.#wake;
      const hasEnded = this.#stop.signal.aborted;
      const batch = this.#lines.slice(offset);
      if (batch.length > 0) {
        yield batch;
        offset += batch.length;
        options.onCursor?.({ file: 'output', offset });
      } else if (hasEnded) return;
      else await Promise.race([promise, aborted.promise]);
    }
  }

  #tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
