import type { Bus } from '../bus/bus.ts';
import type { ContainerEngine, OutputLine } from '../container/container.ts';
import { LogLimit } from '../core/log-limit.ts';
import { type Clock, slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AppLog } from './app-log.ts';
import type { Cursors } from './cursors.ts';
import type { Instance } from './instance.ts';

export type PumpParts = {
  readonly engine: ContainerEngine;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly appLog: AppLog;
  readonly cursors: Cursors;
  readonly limits: { readonly linesPerS: number; readonly platformBytesPerS: number };
  readonly log: Log;
};

/** How often an instance that exceeds its limit is told how much was dropped. */
const TELL_MS = 1000;

/**
 * Brings an instance's output into its app's log until it ends or the signal fires. The place is noted only once the bus
 * has taken a batch; while the bus is away output waits in the container's file. Lines that come meanwhile make the
 * next batch larger, so a chatty instance costs no more messages than it must.
 */
export async function pumpOutput(parts: PumpParts, instance: Instance, signal: AbortSignal): Promise<void> {
  const { engine, bus, clock, appLog, cursors } = parts;
  const bytesPerS = instance.message.x?.log_rate_limit_bytes_s ?? -1;
  const limit = new LogLimit({ ...parts.limits, bytesPerS }, clock.nowMs());
  const over = new AbortController();
  let telling: Promise<void> | undefined;
  const from = cursors.read(instance.id);
  const source = `APP/PROC/${instance.processType.toUpperCase()}`;
  const index = String(instance.message.index);
  const lineOf = (line: OutputLine) => ({
    at: String(line.atNs),
    source,
    instance: index,
    type: line.stream === 'stdout' ? ('OUT' as const) : ('ERR' as const),
    text: line.text,
  });
  const output = engine.output(instance.id, {
    signal,
    ...(from === undefined ? {} : { from }),
    onCursor: (cursor) => cursors.write(instance.id, cursor),
  });
  try {
    for await (const batch of output) {
      await connected(bus, signal);
      if (signal.aborted) return;
      const { passed, notice } = limit.pass(batch, clock.nowMs());
      appLog.send(instance, passed.map(lineOf));
      if (notice !== undefined) appLog.say(instance, notice);
      if (limit.isExceeded) {
        telling ??= tellDropped(parts, instance, { limit, over: over.signal }).finally(() => {
          telling = undefined;
        });
      }
      await delivered(parts, instance, signal);
    }
  } finally {
    over.abort(new Error('the output has ended'));
    await telling;
  }
}

/** Says once a second how much was dropped, until nothing was; at the end, what is left to say. */
async function tellDropped(
  { clock, appLog }: PumpParts,
  instance: Instance,
  { limit, over }: { limit: LogLimit; over: AbortSignal },
): Promise<void> {
  do {
    await slept(clock, TELL_MS, over);
    const told = limit.tell();
    if (told !== undefined) appLog.say(instance, told);
  } while (limit.isExceeded && !over.aborted);
}

/** Waits until the bus has taken what was published; a connection that breaks meanwhile sends it once it is back. */
async function delivered({ bus, log }: PumpParts, instance: Instance, signal: AbortSignal): Promise<void> {
  try {
    await bus.flush();
  } catch (error) {
    log.warn('delayed-log-lines', { instance: instance.id, error });
    await connected(bus, signal);
  }
}

/** Waits until the bus is there. */
function connected(bus: Bus, signal: AbortSignal): Promise<void> {
  if (bus.status() !== 'disconnected' || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      subscription[Symbol.dispose]();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const subscription = bus.onStatus((status) => status !== 'disconnected' && done());
    signal.addEventListener('abort', done, { once: true });
  });
}
