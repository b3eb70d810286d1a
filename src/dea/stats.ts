import { type ContainerEngine, ContainerError, type ContainerStats } from '../container/container.ts';
import type { PayloadOf, ReplyOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Instance } from './instance.ts';

export type FoundInstance = ReplyOf<typeof subjects.deaFindDroplet>;
type Stats = NonNullable<FoundInstance['stats']>;

export type StatsParts = {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly node: { readonly id: string; readonly address: string };
  /** What the instances of this DEA share by their memory. */
  readonly shared: { readonly cores: number; readonly memoryMb: number };
};

const MB = 1_048_576;
/** CPU use is measured over at least this. */
const CPU_WINDOW_MS = 500;

/** The answer of one instance to `dea.find.droplet`. */
export async function describeInstance(
  parts: StatsParts,
  instance: Instance,
  request: PayloadOf<typeof subjects.deaFindDroplet>,
): Promise<FoundInstance> {
  const { message, ending, state } = instance;
  const stats = request.include_stats && state === 'RUNNING' ? await statsOf(parts, instance) : undefined;
  return {
    dea: parts.node.id,
    droplet: message.droplet,
    version: message.version,
    instance: instance.id,
    index: message.index,
    state,
    state_timestamp: instance.stateAtMs / 1000,
    host_ip: parts.node.address,
    ...(ending ? { exit_description: ending.description } : {}),
    ...(stats ? { stats } : {}),
  };
}

async function statsOf({ engine, clock, node, shared }: StatsParts, instance: Instance): Promise<Stats | undefined> {
  const nowMs = clock.nowMs();
  const { limits, name } = instance.message;
  const usage = await usageOf(engine, instance.id);
  if (!usage) return undefined;
  const cpu = cpuFraction(instance, usage.cpuNs, nowMs);
  return {
    name,
    uris: [...instance.uris],
    host: node.address,
    port: instance.placement?.hostPort ?? 0,
    uptime: Math.max(0, Math.floor((nowMs - instance.startedAtMs) / 1000)),
    mem_quota: limits.mem * MB,
    disk_quota: limits.disk * MB,
    fds_quota: limits.fds,
    usage: {
      time: new Date(nowMs).toISOString(),
      cpu,
      cpu_entitlement: cpu / ((shared.cores * limits.mem) / shared.memoryMb),
      mem: usage.memoryBytes,
      disk: usage.diskBytes,
    },
    ...(instance.placement ? { instance_ip: instance.placement.address } : {}),
  };
}

/** What a container uses; undefined when it went away meanwhile. */
export async function usageOf(engine: ContainerEngine, id: string): Promise<ContainerStats | undefined> {
  try {
    return await engine.stats(id);
  } catch (error) {
    if (error instanceof ContainerError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** Share of one core since it was last asked; at first since the start. */
function cpuFraction(instance: Instance, cpuNs: number, nowMs: number): number {
  const last = instance.lastCpu ?? { atMs: instance.startedAtMs, cpuNs: 0, fraction: 0 };
  const passedMs = nowMs - last.atMs;
  if (passedMs < CPU_WINDOW_MS) return last.fraction;
  const fraction = Math.max(0, (cpuNs - last.cpuNs) / 1e6 / passedMs);
  instance.lastCpu = { atMs: nowMs, cpuNs, fraction };
  return fraction;
}
