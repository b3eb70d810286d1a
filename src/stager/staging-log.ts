import type { Static } from 'typebox';
import type { Bus } from '../bus/bus.ts';
import type { OutputLine } from '../container/container.ts';
import type { LogLine } from '../contract/messages/log.ts';
import { subjects } from '../contract/subjects.ts';
import { LogLimit } from '../core/log-limit.ts';
import type { Clock } from '../platform/clock.ts';

/** A batch must fit into one message of the bus (1 MB) after JSON has escaped it. */
const BATCH_BYTES = 128 * 1024;
const BATCH_MS = 100;
const TAIL_LINES = 40;
/** How often it is told what was dropped. */
const TELL_MS = 1000;

export type StagingLogOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly appGuid: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly limits: { readonly logLinesPerS: number; readonly logKbPerS: number };
};

/** What one task prints, sent as lines of the app's log with source STG, at most 100 ms late; too much is dropped, which is said. */
export class StagingLog {
  readonly #options: StagingLogOptions;
  #waiting: Static<typeof LogLine>[] = [];
  #bytes = 0;
  #tail: string[] = [];
  #lastNs = 0n;
  readonly #limit: LogLimit;
  #isTimerSet = false;
  #toldAtMs = 0;

  constructor(options: StagingLogOptions) {
    this.#options = options;
    const { logLinesPerS: linesPerS, logKbPerS } = options.limits;
    const limits = { who: 'staging', linesPerS, platformBytesPerS: logKbPerS * 1024, bytesPerS: -1 } as const;
    this.#limit = new LogLimit(limits, options.clock.nowMs());
  }

  /** Prints a line of the stager's own. */
  say(text: string, type: 'OUT' | 'ERR' = 'OUT'): void {
    this.#add(text, type, BigInt(this.#options.clock.nowMs()) * 1_000_000n);
  }

  /** Prints what the container printed. */
  printed(lines: readonly OutputLine[]): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#limit.isExceeded && nowMs - this.#toldAtMs >= TELL_MS) this.#tellDropped(nowMs);
    const { passed, notice } = this.#limit.pass(lines, nowMs);
    for (const line of passed) this.#add(line.text, line.stream === 'stderr' ? 'ERR' : 'OUT', line.atNs);
    if (notice !== undefined) {
      this.#toldAtMs = nowMs;
      this.say(notice, 'ERR');
    }
    const texts = lines.slice(-TAIL_LINES).map((line) => line.text.slice(0, 2000));
    this.#tail = [...this.#tail, ...texts].slice(-TAIL_LINES);
  }

  /** The container prints no more. */
  printedAll(): void {
    this.#tellDropped(this.#options.clock.nowMs());
  }

  /** The last lines that the container printed, oldest first. */
  tail(): readonly string[] {
    return this.#tail;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const { bus, appGuid, tags } = this.#options;
    bus.publish(subjects.appLog, [appGuid], { app: appGuid, tags: { ...tags }, lines: this.#waiting });
    this.#waiting = [];
    this.#bytes = 0;
  }

  #tellDropped(nowMs: number): void {
    this.#toldAtMs = nowMs;
    const told = this.#limit.tell();
    if (told !== undefined) this.say(told, 'ERR');
  }

  #add(text: string, type: 'OUT' | 'ERR', wantedNs: bigint): void {
    // Two clocks meet here, and readers sort by time: what was printed later must not be dated earlier.
    const atNs = wantedNs > this.#lastNs ? wantedNs : this.#lastNs + 1n;
    this.#lastNs = atNs;
    this.#waiting.push({ at: String(atNs), source: 'STG', instance: '0', type, text });
    this.#bytes += Buffer.byteLength(text) + 100;
    if (this.#bytes >= BATCH_BYTES) this.flush();
    else void this.#flushSoon();
  }

  async #flushSoon(): Promise<void> {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    await this.#options.clock.sleep(BATCH_MS);
    this.#isTimerSet = false;
    this.flush();
  }
}
