import type { Writable } from 'node:stream';
import { unknownLines } from '../core/log-merge.ts';
import type { KeptLine } from '../core/log-ring.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type StreamLine, streamLineOf } from './envelope.ts';
import type { LogStore } from './log-store.ts';

export type StreamRequest = {
  readonly app: string;
  /** Lines from before the beginning, oldest first. */
  readonly recent: () => Promise<readonly KeptLine[]>;
  readonly to: Writable;
  /** Epoch ms after which the reader must come again with a new token. */
  readonly endsAtMs: number;
  /** Is the reader still allowed to read? Asked now and then; 'unknown' lets it go on. */
  readonly isAllowed: () => Promise<boolean | 'unknown'>;
};

/** A reader that is behind by more is dropped. */
const MOST_BUFFERED = 4 * 1024 * 1024;
/** Lines that may come while the recent ones are read. */
const MOST_EARLY = 100_000;
const CHECK_MS = 20_000;
const LAST_READ_MS = 10_000;

/**
 * Sends an app's lines to one reader as they come, until the reader goes, is too slow, or may not read any more. Never
 * waits for the reader: one that does not keep up is told so and dropped.
 */
export function streamLines(
  { store, clock, log }: { store: LogStore; clock: Clock; log: Log },
  request: StreamRequest,
): Promise<void> {
  const { app, to } = request;
  const { promise, resolve } = Promise.withResolvers<void>();
  // What comes before the recent lines are here waits for them.
  let early: KeptLine[] | undefined = [];
  const take = (lines: readonly KeptLine[]) => {
    if (early === undefined) return send(lines);
    if (early.length < MOST_EARLY) for (const line of lines) early.push(line);
    else end('this log is too fast to begin with its recent lines; connect again');
  };
  const send = (lines: readonly KeptLine[]) => {
    to.write(lines.map((line) => `${JSON.stringify(streamLineOf(line))}\n`).join(''));
    if (to.writableLength > MOST_BUFFERED) end('this reader is too slow; lines were dropped, connect again');
  };
  let isOver = false;
  const end = (text?: string) => {
    if (isOver) return;
    isOver = true;
    following[Symbol.dispose]();
    timer[Symbol.dispose]();
    resolve();
    if (text === undefined) return;
    to.end(`${JSON.stringify(noticeOf(clock, text))}\n`);
    // A reader that does not even read its notice must not hold what is buffered for it.
    void clock.sleep(LAST_READ_MS).then(() => to.destroy());
  };
  const check = async () => {
    if (clock.nowMs() >= request.endsAtMs) return end('the session has ended; connect again');
    if (!(await request.isAllowed())) return end('this log may not be read any more');
    // An empty line keeps what is between us from taking silence for death.
    if (!isOver) to.write('\n');
  };
  const following = store.follow(app, take);
  const timer = clock.every(CHECK_MS, check);
  to.once('close', () => end());
  to.once('error', () => end());
  const begin = async () => {
    try {
      const recent = await request.recent();
      const first = [...recent, ...unknownLines(recent, early ?? [])];
      early = undefined;
      if (isOver) return;
      // The head goes out at once, also when there is nothing to say yet.
      if (first.length > 0) send(first);
      else to.write('\n');
    } catch (error) {
      log.error('failed-to-read-recent-lines', { app, error });
      end('the recent lines can not be read at present; connect again');
    }
  };
  void begin();
  return promise;
}

function noticeOf(clock: Clock, text: string): StreamLine {
  return { timestamp: String(BigInt(clock.nowMs()) * 1_000_000n), source: 'LGR', instance: '0', type: 'ERR', text };
}
