import type { Bus } from '../bus/bus.ts';
import type { ContainerEngine, OutputLine } from '../container/container.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AppLog } from './app-log.ts';
import type { Cursors } from './cursors.ts';
import type { Instance } from './instance.ts';
import { LogLimit } from './log-limit.ts';

export type PumpParts = {
  readonly engine: ContainerEngine;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly appLog: AppLog;
  readonly cursors: Cursors;
  readonly linesPerS: number;
  readonly log: Log;
};

/**
 * Brings an instance's output into its app's log until it ends or the signal fires. The place is noted only once the bus
 * has taken a batch; while the bus is away output waits in the container's file. Lines that come meanwhile make the
 * next batch larger, so a chatty instance costs no more messages than it must.
 */
export async function pumpOutput(parts: PumpParts, instance: Instance, signal: AbortSignal): Promise<void> {
  const { engine, bus, clock, appLog, cursors } = parts;
  const bytesPerS = instance.message.x?.log_rate_limit_bytes_s ?? -1;
  const limit = new LogLimit({ linesPerS: parts.linesPerS, bytesPerS }, clock.nowMs());
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
  for await (const batch of output) {
    await connected(bus, signal);
    if (signal.aborted) return;
    const { passed, notices } = limit.pass(batch, clock.nowMs());
    appLog.send(instance, passed.map(lineOf));
    for (const notice of notices) appLog.say(instance, notice);
    await delivered(parts, instance, signal);
  }
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
