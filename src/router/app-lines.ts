import type { Bus } from '../bus/bus.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { AccessRecord } from '../proxy/proxy.ts';
import { formatRtrLine, nanoseconds } from './rtr-line.ts';

type Line = PayloadOf<typeof subjects.appLog>['lines'][number];

const GATHER_MS = 20;
const MOST_LINES = 100;
/** A quarter of what the log's way is built for: a flood of requests to one app must not drown the logs of the others. */
const MOST_PER_S = 5000;

type Flow = { s: number; said: number; leftOut: number };

/** Says requests into the logs of their apps, a handful at a time. */
export class AppLines {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #flows = new Map<string, Flow>();
  #waiting = new Map<string, Line[]>();
  #isScheduled = false;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  add(record: AccessRecord): void {
    if (!record.app || this.#isFlood(record)) return;
    this.#gather(record.app, {
      at: nanoseconds(record.atMs + record.totalMs),
      source: 'RTR',
      instance: record.instanceIndex || '0',
      type: 'OUT',
      text: formatRtrLine(record),
    });
  }

  flush(): void {
    for (const [app, lines] of this.#waiting) this.#say(app, lines);
  }

  #gather(app: string, line: Line): void {
    const lines = this.#waiting.get(app);
    if (!lines) this.#waiting.set(app, [line]);
    else if (lines.push(line) >= MOST_LINES) this.#say(app, lines);
    if (!this.#isScheduled) void this.#later();
  }

  /** Counts the lines of an app in each second, and says afterwards how many were left out. */
  #isFlood({ app }: AccessRecord): boolean {
    const nowMs = this.#clock.nowMs();
    const s = Math.floor(nowMs / 1000);
    let flow = this.#flows.get(app);
    if (!flow || flow.s !== s) {
      if (flow && flow.leftOut > 0) {
        const text = `${flow.leftOut} access lines were left out: more than ${MOST_PER_S} in a second`;
        this.#gather(app, { at: nanoseconds(nowMs), source: 'RTR', instance: '0', type: 'ERR', text });
      }
      if (this.#flows.size > 10_000) this.#flows.clear();
      flow = { s, said: 0, leftOut: 0 };
      this.#flows.set(app, flow);
    }
    if (flow.said >= MOST_PER_S) flow.leftOut += 1;
    else flow.said += 1;
    return flow.leftOut > 0;
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
