import type { Bus } from '../bus/bus.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { AccessRecord } from '../proxy/proxy.ts';
import { formatRtrLine, nanoseconds } from './rtr-line.ts';

type Line = PayloadOf<typeof subjects.appLog>['lines'][number];

const GATHER_MS = 20;
const MOST_LINES = 100;

/** Says requests into the logs of their apps, a handful at a time. */
export class AppLines {
  readonly #bus: Bus;
  readonly #clock: Clock;
  #waiting = new Map<string, Line[]>();
  #isScheduled = false;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  add(record: AccessRecord): void {
    if (!record.app) return;
    const line: Line = {
      at: nanoseconds(record.atMs + record.totalMs),
      source: 'RTR',
      instance: record.instanceIndex || '0',
      type: 'OUT',
      text: formatRtrLine(record),
    };
    const lines = this.#waiting.get(record.app);
    if (!lines) this.#waiting.set(record.app, [line]);
    else if (lines.push(line) >= MOST_LINES) this.#say(record.app, lines);
    if (!this.#isScheduled) void this.#later();
  }

  flush(): void {
    for (const [app, lines] of this.#waiting) this.#say(app, lines);
  }

  #say(app: string, lines: Line[]): void {
    this.#waiting.delete(app);
    this.#bus.publish(subjects.appLog, [app], { app, tags: {}, lines });
  }

  async #later(): Promise<void> {
    this.#isScheduled = true;
    await this.#clock.sleep(GATHER_MS);
    this.#isScheduled = false;
    this.flush();
  }
}
