import type { ContainerEngine, ContainerStats } from '../container/container.ts';
import { isFull, type Shortage, type ShortageLimits, tellShortage } from '../core/shortage.ts';
import type { AppLog } from './app-log.ts';
import type { Instance } from './instance.ts';
import type { Registry } from './registry.ts';
import { usageOf } from './stats.ts';

export type ShortageParts = {
  readonly engine: ContainerEngine;
  readonly registry: Registry;
  readonly appLog: AppLog;
  readonly pidsLimit: number;
};

type Told = Pick<ContainerStats, 'memoryKills' | 'refusedForks'> & { readonly isDiskFull: boolean };

const NOTHING: Told = { memoryKills: 0, refusedForks: 0, isDiskFull: false };

/** Tells the owners of instances that go on what they ran short of: a child that was killed, a full disk. */
export class Shortages {
  readonly #parts: ShortageParts;
  readonly #told = new WeakMap<Instance, Told>();

  constructor(parts: ShortageParts) {
    this.#parts = parts;
  }

  /** What a predecessor may have told of an instance is not told again. */
  async adopt(): Promise<void> {
    for (const instance of this.#running()) await this.#since(instance);
  }

  /** Looks at every running instance once. */
  async check(): Promise<void> {
    const { appLog, pidsLimit } = this.#parts;
    for (const instance of this.#running()) {
      const shortage = await this.#since(instance);
      if (!shortage || instance.over.signal.aborted) continue;
      for (const text of tellShortage(shortage, limitsOf(instance, pidsLimit))) appLog.say(instance, text);
    }
  }

  #running(): Instance[] {
    return this.#parts.registry.list().filter((one) => one.startedAtMs > 0 && !one.over.signal.aborted);
  }

  async #since(instance: Instance): Promise<Shortage | undefined> {
    const now = await shortageOf(this.#parts.engine, instance);
    if (!now) return undefined;
    const before = this.#told.get(instance) ?? NOTHING;
    this.#told.set(instance, now);
    return {
      memoryKills: now.memoryKills - before.memoryKills,
      refusedForks: now.refusedForks - before.refusedForks,
      isDiskFull: now.isDiskFull && !before.isDiskFull,
    };
  }
}

/** What an instance ran short of since its start; undefined when it went away meanwhile. */
export async function shortageOf(engine: ContainerEngine, instance: Instance): Promise<Shortage | undefined> {
  const usage = await usageOf(engine, instance.id);
  if (!usage) return undefined;
  const { memoryKills, refusedForks, diskBytes } = usage;
  return { memoryKills, refusedForks, isDiskFull: isFull(diskBytes, instance.message.limits.disk) };
}

/** The limits that its owner is told. */
export function limitsOf({ message: { limits } }: Instance, pids: number): ShortageLimits {
  return { memoryMb: limits.mem, diskMb: limits.disk, pids };
}
