import type { Static } from 'typebox';
import type { Bus } from '../bus/bus.ts';
import type { OutputLine } from '../container/container.ts';
import type { LogLine } from '../contract/messages/log.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';

/** A batch must fit into one message of the bus (1 MB) after JSON has escaped it. */
const BATCH_BYTES = 128 * 1024;
const BATCH_MS = 100;
const TAIL_LINES = 40;

export type StagingLogOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly appGuid: string;
  readonly tags: Readonly<Record<string, string>>;
};

/** What one task prints, sent as lines of the app's log with source STG, at most 100 ms late. */
export class StagingLog {
  readonly #options: StagingLogOptions;
  #waiting: Static<typeof LogLine>[] = [];
  #bytes = 0;
  #tail: string[] = [];
  #lastNs = 0n;
  #isTimerSet = false;

  constructor(options: StagingLogOptions) {
    this.#options = options;
  }

  /** Prints a line of the stager's own. */
  say(text: string, type: 'OUT' | 'ERR' = 'OUT'): void {
    this.#add(text, type, BigInt(this.#options.clock.nowMs()) * 1_000_000n);
  }

  /** Prints what the container printed. */
  printed(lines: readonly OutputLine[]): void {
    for (const line of lines) this.#add(line.text, line.stream === 'stderr' ? 'ERR' : 'OUT', line.atNs);
    const texts = lines.slice(-TAIL_LINES).map((line) => line.text.slice(0, 2000));
    this.#tail = [...this.#tail, ...texts].slice(-TAIL_LINES);
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
