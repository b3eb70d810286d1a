import { setTimeout as after } from 'node:timers/promises';
import type { Clock } from '../../platform/clock.ts';
import { type ApiClient, POLL_MS } from '../api/api-client.ts';
import { type LogLine, openLogStream, readLogs } from '../api/logs.ts';
import { ClientError } from '../client-error.ts';
import type { Context, Scope } from '../context.ts';
import { harmless, type Terminal } from '../terminal.ts';

export type TailOptions = {
  readonly api: ApiClient;
  readonly logCache: string;
  readonly appGuid: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Lines said before are not told; epoch, ns. */
  readonly sinceNs: bigint;
  /** Lines that were told already, oldest first; what comes late and is dated among them is told still. */
  readonly known?: readonly LogLine[];
  readonly onLine: (line: LogLine) => void;
  /** Called once when the log can't be read any more. */
  readonly onFailure?: (error: ClientError) => void;
};

/** How long lines that are on their way are waited for; `isOver` knows that none is. */
export type Patience = { readonly quietMs: number; readonly mostMs: number; readonly isOver?: () => boolean };

/** Lines can arrive a little later than others that were said after them. */
const OVERLAP_NS = 2_000_000_000n;
const REMEMBERED = 5000;
/** A log that does not answer must not hold up what is waiting for it. */
const READY_MS = 2000;

/** Follows an app's log, by the server's stream where there is one, else by asking again and again. */
export class LogTail implements AsyncDisposable {
  readonly #options: TailOptions;
  readonly #stop = new AbortController();
  readonly #told = new Set<string>();
  readonly #running: Promise<void>;
  #newestNs: bigint;
  #lastLineAtMs: number;
  #failure: ClientError | undefined;
  /** Resolves when lines can no longer be missed. */
  readonly ready: Promise<void>;

  constructor(options: TailOptions) {
    const { known = [], sinceNs } = options;
    this.#options = options;
    this.#newestNs = BigInt(known.at(-1)?.atNs ?? sinceNs);
    for (const line of known) this.#told.add(keyOf(line));
    this.#lastLineAtMs = options.clock.nowMs();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = Promise.race([promise, restOrStop(options.clock, READY_MS, this.#stop.signal)]);
    this.#running = this.#run(resolve)
      .catch((error) => this.#fail(error))
      .finally(resolve);
  }

  /** Ends with the signal; rejects when the log can't be read. */
  async ended(): Promise<void> {
    await this.#running;
    if (this.#failure) throw this.#failure;
  }

  /** Waits until the last line was heard, or nothing was said for a moment, at most `mostMs`. */
  async settle({ quietMs, mostMs, isOver = () => false }: Patience): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.nowMs();
    const isQuiet = () => clock.nowMs() - Math.max(this.#lastLineAtMs, startedMs) >= quietMs;
    while (!isOver() && !isQuiet() && clock.nowMs() - startedMs < mostMs) await clock.sleep(25);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.race([this.#running, after(1000, undefined, { ref: false })]);
  }

  #fail(error: unknown): void {
    this.#failure = new ClientError(`The log can't be read: ${(error as Error).message}`, {
      cause: error,
      next: 'On the server: kato status logyard',
    });
    this.#options.onFailure?.(this.#failure);
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, this.#options.signal]);
  }

  async #run(onReady: () => void): Promise<void> {
    const { clock, api, logCache, appGuid } = this.#options;
    const signal = this.#signal;
    let hasStream = true;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const stream: AsyncIterable<LogLine> | undefined = hasStream
          ? await openLogStream(api, logCache, { appGuid, signal })
          : undefined;
        hasStream = stream !== undefined;
        await this.#catchUp();
        onReady();
        failures = 0;
        if (stream) for await (const line of stream) this.#tell(line);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Error) || ++failures > 20) throw error;
      }
      await restOrStop(clock, POLL_MS, signal);
    }
  }

  async #catchUp(): Promise<void> {
    const { api, logCache, appGuid, sinceNs } = this.#options;
    const from = this.#newestNs - OVERLAP_NS;
    const lines = await readLogs(api, logCache, { appGuid, sinceNs: from > sinceNs ? from : sinceNs, limit: 1000 });
    for (const line of lines) this.#tell(line);
  }

  #tell(line: LogLine): void {
    const key = keyOf(line);
    if (this.#told.has(key) || BigInt(line.atNs) < this.#options.sinceNs) return;
    this.#told.add(key);
    if (this.#told.size > REMEMBERED)
      for (const first of this.#told.values().take(REMEMBERED / 2)) this.#told.delete(first);
    if (BigInt(line.atNs) > this.#newestNs) this.#newestNs = BigInt(line.atNs);
    this.#lastLineAtMs = this.#options.clock.nowMs();
    this.#options.onLine(line);
  }
}

function keyOf({ atNs, source, instance, text }: LogLine): string {
  return `${atNs} ${source} ${instance} ${text}`;
}

/** Sleeps, but no longer than until the signal fires. */
async function restOrStop(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (reason) {
    if (!signal.aborted) throw reason;
  }
}

/** A line for people: `12:00:00.12 [APP/PROC/WEB/0] text`; errors in red. */
export function formatLine(terminal: Terminal, line: LogLine): string {
  const at = new Date(Number(BigInt(line.atNs) / 1_000_000n));
  const time = Number.isNaN(at.getTime()) ? '' : at.toISOString().slice(0, 23).replace('T', ' ');
  const where = `[${line.source}${line.instance === '' ? '' : `/${line.instance}`}]`;
  const text = harmless(line.text);
  return `${terminal.paint(time, 'dim')} ${terminal.paint(where, 'cyan')} ${line.type === 'ERR' ? terminal.paint(text, 'red') : text}`;
}

/** Follows an app's log while a command waits for it; lines whose source matches are told as they come. */
export function startTail(context: Context, scope: Scope, app: { readonly guid: string }, told: RegExp) {
  const { clock, signal, terminal } = context;
  const heard: LogLine[] = [];
  const tail = new LogTail({
    api: scope.api,
    logCache: scope.entry.logCache,
    appGuid: app.guid,
    clock,
    signal,
    sinceNs: BigInt(clock.nowMs()) * 1_000_000n,
    onLine: (line) => {
      heard.push(line);
      if (told.test(line.source)) terminal.say(formatLine(terminal, line));
    },
    onFailure: (error) => terminal.note(`${error.message}; going on without it`),
  });
  return {
    tail,
    heard,
    /** Has the user seen this line already? */
    wasTold: (line: LogLine) => told.test(line.source),
    settle: (patience: Patience) => tail.settle(patience),
    [Symbol.asyncDispose]: () => tail[Symbol.asyncDispose](),
  };
}
