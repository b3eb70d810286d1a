import type { ContainerEngine } from '../container/container.ts';
import {
  describeLiveFailure,
  describeStartFailure,
  type HealthQuestion,
  type ListeningSocket,
  type ProbeOutcome,
  parseListening,
} from '../core/health-verdict.ts';
import { appHome } from '../core/launch-command.ts';
import { type Clock, slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { healthQuestionOf, type Instance } from './instance.ts';
import type { Probe } from './probe.ts';

export type MonitorParts = {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly probe: Probe;
  readonly log: Log;
};

/** Delays between the first probes, ms: an app that is up quickly is found quickly. */
const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 1000;
/** An instance that was well must fail so many probes in a row before it is given up. */
const LIVE_ATTEMPTS = 3;

/**
 * Waits for an instance to get well.
 *
 * @returns why it did not within its budget; undefined when it did, or when it is over
 */
export async function awaitHealthy(parts: MonitorParts, instance: Instance): Promise<string | undefined> {
  const { clock, probe } = parts;
  const question = healthQuestionOf(instance.message);
  const signal = instance.over.signal;
  const deadlineMs = instance.startedAtMs + question.budgetS * 1000;
  let delayMs = FIRST_DELAY_MS;
  for (;;) {
    const outcome = await probe(instance.placement?.address ?? '', question);
    if (signal.aborted || outcome.kind === 'well') return undefined;
    if (clock.nowMs() >= deadlineMs) {
      return describeStartFailure(question, outcome, await findListening(parts, instance));
    }
    if (!(await slept(clock, delayMs, signal))) return undefined;
    delayMs = Math.min(LONGEST_DELAY_MS, Math.ceil(delayMs * 1.3));
  }
}

/**
 * Watches an instance that is well.
 *
 * @returns why it is not any more; undefined when it is over
 */
export async function awaitUnhealthy(parts: MonitorParts, instance: Instance): Promise<string | undefined> {
  const { intervalS, ...question } = healthQuestionOf(instance.message);
  const signal = instance.over.signal;
  // Its end is all that can be seen of such an instance, and that is an event.
  if (question.type === 'process') return undefined;
  while (await slept(parts.clock, intervalS * 1000, signal)) {
    const outcome = await probeAgain(parts, instance, question);
    if (signal.aborted) return undefined;
    if (outcome.kind !== 'well') return describeLiveFailure(question, outcome);
  }
  return undefined;
}

async function probeAgain(parts: MonitorParts, instance: Instance, question: HealthQuestion): Promise<ProbeOutcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await parts.probe(instance.placement?.address ?? '', question);
    if (outcome.kind === 'well' || attempt === LIVE_ATTEMPTS) return outcome;
    if (!(await slept(parts.clock, 500, instance.over.signal))) return outcome;
  }
}

/** Where the instance's processes do listen; only for what is said to people, hence nothing when it can't be had. */
async function findListening({ engine, log }: MonitorParts, instance: Instance): Promise<ListeningSocket[]> {
  const { uid, gid } = appHome;
  try {
    const { stdout } = await engine.exec(
      instance.id,
      { args: ['/bin/cat', '/proc/net/tcp', '/proc/net/tcp6'], env: { PATH: '/usr/bin:/bin' }, cwd: '/', uid, gid },
      { timeoutMs: 5000 },
    );
    return parseListening(stdout);
  } catch (error) {
    log.warn('failed-to-list-ports', { instance: instance.id, error });
    return [];
  }
}
