import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';

const ROUND_MS = 300;
/** A heartbeat interval and some more: a DEA that nobody heard in that time runs nothing. */
const SILENCE_MS = 2500;

export type RollCallOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Longest wait, ms. */
  readonly deadlineMs: number;
  /** DEAs that must be there, by node id. */
  readonly awaited: readonly string[];
  /** When the table last changed, epoch ms. */
  readonly changedMs: () => number;
};

/** What a wait for a whole table came to. */
export type RollCall = {
  readonly because: 'every DEA that is there has registered' | 'no DEA is there' | 'the deadline has passed';
  readonly components: number;
  /** DEAs that answered, by node id. */
  readonly deas: readonly string[];
  /** DEAs that live and did not answer. */
  readonly missing: readonly string[];
};

type State = {
  readonly elapsedMs: number;
  readonly deadlineMs: number;
  /** Did the last round bring neither a change nor a component that had not answered before? */
  readonly isQuiet: boolean;
  readonly deas: number;
  readonly missing: readonly string[];
};

/**
 * Waits until everybody who has routes has said them. Whoever answers `vcap.component.discover` has heard the
 * `router.start` before it, and the bus keeps the order of what one sender says: with its answer, its routes are here.
 * A DEA answers only once it has taken its containers over. Who should answer is known from heartbeats.
 */
export async function callTheRoll(options: RollCallOptions): Promise<RollCall> {
  const { bus, clock, deadlineMs } = options;
  const startedMs = clock.nowMs();
  const answered = new Map<string, string>();
  const awaited = new Set(options.awaited);
  using _heartbeats = bus.subscribe(subjects.deaHeartbeat, [], ({ dea }) => void awaited.add(dea));
  for (;;) {
    const [roundMs, before] = [clock.nowMs(), answered.size];
    const round = new AbortController();
    const replies = bus.request(
      subjects.componentDiscover,
      [],
      {},
      {
        timeoutMs: deadlineMs + 1000,
        expected: 10_000,
        signal: round.signal,
      },
    );
    await clock.sleep(Math.min(ROUND_MS, Math.max(1, startedMs + deadlineMs - clock.nowMs())));
    round.abort();
    for (const { uuid, type } of await replies) answered.set(`${type} ${uuid}`, type);
    const deas = [...answered].filter(([, type]) => type === 'DEA').map(([name]) => name);
    const missing = [...awaited].filter(
      (dea) => !deas.some((name) => name === `DEA ${dea}` || name.endsWith(`-${dea}`)),
    );
    const isQuiet = answered.size === before && options.changedMs() <= roundMs;
    const elapsedMs = clock.nowMs() - startedMs;
    const because = verdict({ elapsedMs, deadlineMs, isQuiet, deas: deas.length, missing });
    if (because) {
      const nodes = deas.map((name) => name.split(/[- ]/).at(-1) ?? '');
      return { because, components: answered.size, deas: nodes, missing };
    }
  }
}

/** Is the table whole? Undefined while it may not be. */
export function verdict({ elapsedMs, deadlineMs, isQuiet, deas, missing }: State): RollCall['because'] | undefined {
  if (isQuiet && missing.length === 0) {
    if (deas > 0) return 'every DEA that is there has registered';
    if (elapsedMs >= SILENCE_MS) return 'no DEA is there';
  }
  return elapsedMs >= deadlineMs ? 'the deadline has passed' : undefined;
}
