import type { ProcessPlan } from './role-plan.ts';

/** What to do at a node that the Core's bus refuses. */
export const shutOut =
  'new passwords come with `kato node update`; a node that was removed from the cluster joins again: kato node detach --force, then kato node attach';

/** What the supervisor says of a process. */
export type Supervised = {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
  /** Epoch s; 0 when never started. */
  readonly startedAtS: number;
};

/** How a process proves that it works, besides running. */
export type Readiness = { readonly name: string; readonly pid?: number; readonly unwell: string | undefined };

/** Programs of others: they do not answer on the bus themselves. */
export const infrastructure: readonly string[] = ['nats', 'postgresql', 'link'];

/** One process as people and the other nodes see it. */
export type ProcessReport = {
  name: string;
  state: string;
  pid: number;
  uptime_s: number;
  ready: boolean;
  description: string;
};

/** The state of every planned process: running is not enough, it must have answered and be well. */
export function reportProcesses(
  plans: readonly Pick<ProcessPlan, 'name' | 'program'>[],
  seen: {
    supervised: readonly Supervised[];
    answers: readonly Readiness[];
    nowMs: number;
    /** Why nobody can be asked on the bus. */
    busIsAway?: string | undefined;
  },
): ProcessReport[] {
  return plans.map(({ name, program }) => {
    const process = seen.supervised.find((one) => one.name === program);
    const isRunning = process?.state === 'RUNNING';
    const answer = seen.answers.find((one) => one.name === name && (one.pid ?? process?.pid) === process?.pid);
    const ready = isRunning && answer !== undefined && answer.unwell === undefined;
    const waitsFor = isRunning && answer === undefined ? seen.busIsAway : undefined;
    return {
      name,
      state: waitsFor === undefined ? (process?.state ?? 'STOPPED') : 'WAITING',
      pid: process?.pid ?? 0,
      uptime_s: isRunning ? Math.max(0, Math.round(seen.nowMs / 1000 - process.startedAtS)) : 0,
      ready,
      description: ready ? '' : (waitsFor ?? describe(process, answer)),
    };
  });
}

/** A role's state; UNKNOWN when its node does not answer, PARTIAL when some of its processes are stopped, ORPHANED when some run on without their supervisor, WAITING when they run and the bus is away. */
export function reportRole(
  processes: readonly ProcessReport[],
): 'READY' | 'STARTING' | 'WAITING' | 'STOPPED' | 'PARTIAL' | 'ORPHANED' | 'UNKNOWN' {
  if (processes.every(({ ready }) => ready)) return 'READY';
  if (processes.every(({ state }) => state === 'UNKNOWN')) return 'UNKNOWN';
  if (processes.some(({ state }) => state === 'ORPHANED')) return 'ORPHANED';
  const stopped = processes.filter(({ state }) => state === 'STOPPED' || state === 'FATAL' || state === 'EXITED');
  if (stopped.length === processes.length) return 'STOPPED';
  if (stopped.length > 0) return 'PARTIAL';
  return processes.every(({ ready, state }) => ready || state === 'WAITING') ? 'WAITING' : 'STARTING';
}

function describe(process: Supervised | undefined, answer: Readiness | undefined): string {
  if (process === undefined) return 'not known to the supervisor';
  if (process.state === 'ORPHANED') {
    return `runs on as process ${process.pid}, but supervisord was killed; \`kato start\` takes over, \`kato stop\` ends it`;
  }
  if (process.state === 'BACKOFF') return 'ends soon after each start; its log says why';
  if (process.state !== 'RUNNING') return '';
  return answer?.unwell ?? 'has not answered yet';
}
