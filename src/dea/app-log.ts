import type { Bus } from '../bus/bus.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Instance } from './instance.ts';

type LogLine = PayloadOf<typeof subjects.appLog>['lines'][number];

/** Lines in one message: far below the bus's limit on a message, and few enough to share it. */
const LINES_PER_MESSAGE = 100;
const BYTES_PER_MESSAGE = 256 * 1024;

/** Sends lines of instances into their app's log. */
export class AppLog {
  readonly #bus: Bus;
  readonly #clock: Clock;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  /** What the DEA itself has to say about an instance. */
  say(instance: Instance, text: string): void {
    const at = String(BigInt(this.#clock.nowMs()) * 1_000_000n);
    this.send(instance, [{ at, source: 'CELL', instance: String(instance.message.index), type: 'OUT', text }]);
  }

  send(instance: Instance, lines: readonly LogLine[]): void {
    const tags = tagsOf(instance);
    for (const slice of slices(lines)) {
      this.#bus.publish(subjects.appLog, [instance.appGuid], { app: instance.appGuid, tags, lines: slice });
    }
  }
}

function* slices(lines: readonly LogLine[]): Iterable<LogLine[]> {
  let slice: LogLine[] = [];
  let bytes = 0;
  for (const line of lines) {
    if (slice.length >= LINES_PER_MESSAGE || (slice.length > 0 && bytes + line.text.length > BYTES_PER_MESSAGE)) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(line);
    bytes += line.text.length;
  }
  if (slice.length > 0) yield slice;
}

function tagsOf(instance: Instance): Record<string, string> {
  const { message } = instance;
  return {
    app_name: message.name,
    ...message.x?.tags,
    app_id: instance.appGuid,
    process_id: message.droplet,
    process_type: instance.processType,
    process_instance_id: instance.id,
    instance_id: String(message.index),
  };
}
