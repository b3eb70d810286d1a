import { fenceDevices } from '../container/fence/fence.ts';
import { withdrawFence } from '../container/fence/withdraw.ts';
import { groupByPhase, listProcesses, listPrograms, type ProcessPlan, type ProgramPlan } from '../core/role-plan.ts';
import { systemClock } from '../platform/clock.ts';
import { applyFirewall } from '../platform/firewall.ts';
import { closeCode, openCode } from './code.ts';
import { compileAhead } from './compiled-code.ts';
import { handOver, listLeftByRoot } from './hand-over.ts';
import { endLeftCharges } from './left-charges.ts';
import type { Node } from './node.ts';
import { programsOf } from './programs.ts';
import { BusIsAway, ReadinessProbe } from './readiness.ts';
import { Refusal } from './refusal.ts';
import { ensureBusConfig } from './setup/bus.ts';

const READY_TIMEOUT_MS = 90_000;
const RESTART_TIMEOUT_MS = 60_000;
/** The Core's bus, silent for so long, is not about to answer. */
const BUS_AWAY_MS = 10_000;

export type LifecycleOptions = {
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Longest wait for a bus of another node, ms. */
  readonly awayMs?: number;
};

/**
 * Starts processes phase by phase, each phase when the one before is ready; returns when all are.
 *
 * @throws BusIsAway when all run that were to, and wait for another node's bus
 */
export async function startProcesses(
  node: Node,
  plans: readonly ProcessPlan[],
  options: LifecycleOptions,
): Promise<void> {
  const ran = await applyPrograms(node);
  // A newer version may let its processes say and hear more; who is refused once does not ask again.
  if (plans.some(({ name }) => name === 'nats')) await ensureBusConfig(node);
  await using probe = new ReadinessProbe(node);
  const started: Promise<void>[] = [];
  for (const phase of groupByPhase(programsWith(node, [...plans, ...ran]), 'startPhase')) {
    options.say(`starting ${namesOf(phase)}`);
    const starting = phase.map((plan) => node.supervisor.start(plan.name));
    started.push(...starting);
    // Waiting for readiness alone would hide why a process ends at once.
    await Promise.race([probe.untilReady(processesOf(phase), patience(node, options)), firstFailure(starting)]);
  }
  await Promise.all(started);
}

/** Stops processes phase by phase, those too that a killed supervisor left; what they look after stops with them. */
export async function stopProcesses(
  node: Node,
  plans: readonly ProcessPlan[],
  options: LifecycleOptions,
): Promise<void> {
  const programs = programsWith(node, plans);
  await stopPrograms(node, programs, options);
  await endLeftCharges(
    node.paths,
    programs.map(({ name }) => name),
  );
}

async function stopPrograms(node: Node, programs: readonly ProgramPlan[], options: LifecycleOptions): Promise<void> {
  const isSupervised = await node.supervisor.isRunning();
  for (const phase of groupByPhase(programs, 'stopPhase')) {
    if (!isSupervised) {
      await stopOrphans(node, phase, options);
      continue;
    }
    options.say(`stopping ${namesOf(phase)}`);
    await Promise.all(phase.map((plan) => node.supervisor.stop(plan.name)));
  }
}

/** Stops everything on this node, the supervisor last, and takes back what containers needed of the kernel. */
export async function stopNode(node: Node, options: LifecycleOptions): Promise<void> {
  const isUp = (await node.supervisor.isRunning()) || (await orphansOf(node)).length > 0;
  await stopProcesses(node, listProcesses(node.file), options);
  if (isUp) {
    await node.supervisor.shutdown();
    await closeCode(node.paths);
  }
  // Also when nothing ran: what looked after the containers may have been killed.
  await withdrawFence(node.paths.fence, ['dea', 'stager']);
}

/**
 * Restarts processes; apps go on running and being routed meanwhile.
 *
 * @throws BusIsAway when all were restarted, and wait for another node's bus
 */
export async function restartProcesses(
  node: Node,
  plans: readonly ProcessPlan[],
  options: LifecycleOptions,
): Promise<void> {
  const ran = await applyPrograms(node);
  const states = new Map((await node.supervisor.list()).map((process) => [process.name, process]));
  const programs = programsWith(node, plans);
  const keeping = programs.filter((plan) => plan.outlivedByCharges && states.get(plan.name)?.state === 'RUNNING');
  // One that fell and is about to start reads its files anew; to stop it would stop its charges.
  const arriving = programs.filter(
    (plan) => plan.outlivedByCharges && /^(STARTING|BACKOFF)$/.test(states.get(plan.name)?.state ?? ''),
  );
  const rest = programs.filter((plan) => !keeping.includes(plan) && !arriving.includes(plan));
  await stopPrograms(node, rest, options);
  let away: BusIsAway | undefined;
  // The bus that one waits for holds up no other.
  const attempt = async (act: (options: LifecycleOptions) => Promise<void>) => {
    try {
      await act(away === undefined ? options : { ...options, awayMs: 0 });
    } catch (error) {
      if (!(error instanceof BusIsAway)) throw error;
      away = error;
    }
  };
  await attempt((patient) => startProcesses(node, [...processesOf(rest), ...ran], patient));
  for (const plan of keeping) await attempt((patient) => succeed(node, plan, patient));
  await attempt((patient) => awaitReady(node, arriving, patient));
  if (away !== undefined) throw away;
}

/** Ends a process without what it looks after; its successor adopts that. */
async function succeed(node: Node, plan: ProgramPlan, options: LifecycleOptions): Promise<void> {
  options.say(`restarting ${namesOf([plan])}; what it looks after goes on`);
  const pidOf = async () => (await node.supervisor.list()).find(({ name }) => name === plan.name)?.pid ?? 0;
  const before = await pidOf();
  const endMs = systemClock.nowMs() + RESTART_TIMEOUT_MS;
  await node.supervisor.signal(plan.name, 'USR2');
  for (let pid = before; pid === before || pid === 0; pid = await pidOf()) {
    if (systemClock.nowMs() > endMs) {
      throw new Refusal(
        `${plan.name} did not end within ${RESTART_TIMEOUT_MS / 1000} s of being asked to`,
        `read ${node.paths.log}/${plan.name}.log`,
      );
    }
    await systemClock.sleep(100, options.signal);
  }
  await awaitReady(node, [plan], options);
}

async function awaitReady(node: Node, programs: readonly ProgramPlan[], options: LifecycleOptions): Promise<void> {
  if (programs.length === 0) return;
  await using probe = new ReadinessProbe(node);
  await probe.untilReady(processesOf(programs), patience(node, options));
}

/** A node that has the bus itself waits for it as for all else. */
function patience({ file }: Node, { signal, awayMs = BUS_AWAY_MS }: LifecycleOptions) {
  const isHere = file.isMicro || file.roles.includes('primary');
  return { timeoutMs: READY_TIMEOUT_MS, signal, ...(isHere ? {} : { awayMs }) };
}

/** These processes and those that share a program with them. */
export function withSharers(node: Node, plans: readonly ProcessPlan[]): ProcessPlan[] {
  return processesOf(programsWith(node, plans));
}

function programsWith(node: Node, plans: readonly ProcessPlan[]): ProgramPlan[] {
  const wanted = new Set(plans.map(({ name }) => name));
  const all = listPrograms(listProcesses(node.file));
  return all.filter(({ processes }) => processes.some(({ name }) => wanted.has(name)));
}

function processesOf(programs: readonly ProgramPlan[]): ProcessPlan[] {
  return programs.flatMap(({ processes }) => processes);
}

function namesOf(programs: readonly ProgramPlan[]): string {
  return processesOf(programs)
    .map(({ name }) => name)
    .join(', ');
}

async function stopOrphans(node: Node, plans: readonly ProgramPlan[], options: LifecycleOptions): Promise<void> {
  const programs = await programsOf(node, processesOf(plans));
  const orphans = new Set((await node.supervisor.listOrphans(programs)).map(({ name }) => name));
  if (orphans.size === 0) return;
  options.say(`stopping ${[...orphans].join(', ')}, left by a supervisord that was killed`);
  await node.supervisor.stopOrphans(programs);
}

/** The processes that run on although supervisord is gone. */
async function orphansOf(node: Node): Promise<ProcessPlan[]> {
  const plans = listProcesses(node.file);
  const orphans = await node.supervisor.listOrphans(await programsOf(node, plans));
  return plans.filter(({ program }) => orphans.some(({ name }) => name === program));
}

/** @returns processes that ran and were ended, orphans of a killed supervisor for one: they are to run again */
async function applyPrograms(node: Node): Promise<ProcessPlan[]> {
  await openCode(node.paths);
  await applyFirewall(node.paths, fenceDevices(node.paths.fence, ['dea', 'stager']));
  const plans = listProcesses(node.file);
  const programs = await programsOf(node, plans);
  await compileAhead(node.paths, programs);
  const dropped = programs.filter(({ user }) => user === 'stackato').map(({ name }) => name);
  const ended = dropped.length > 0 ? await leaveRoot(node, dropped) : [];
  await node.supervisor.configure(programs);
  const orphans = (await node.supervisor.isRunning()) ? [] : await orphansOf(node);
  await node.supervisor.ensureRunning();
  return [...orphans, ...plans.filter(({ program }) => ended.includes(program))];
}

/** Programs that root ran before: what they own goes to their new account once they have ended. */
async function leaveRoot({ paths, supervisor }: Node, programs: readonly string[]): Promise<string[]> {
  const left = await listLeftByRoot(paths);
  if (left.length === 0) return [];
  const running = (await supervisor.isRunning()) ? await supervisor.list() : [];
  const ended = running.filter(({ name, pid }) => pid !== 0 && programs.includes(name)).map(({ name }) => name);
  await Promise.all(ended.map((name) => supervisor.stop(name)));
  await handOver(await listLeftByRoot(paths));
  return ended;
}

function firstFailure(starting: readonly Promise<void>[]): Promise<never> {
  return new Promise((_, reject) => {
    for (const one of starting) one.catch(reject);
  });
}
