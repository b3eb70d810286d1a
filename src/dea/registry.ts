import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { holdsMemory, isReported } from '../core/instance-state.ts';
import type { HeartbeatEntry, Instance } from './instance.ts';

/** Filters of `dea.stop` and `dea.find.droplet`: all that are present must match. */
export type InstanceFilter = PayloadOf<typeof subjects.deaStop>;

/** Every instance on this DEA, and what they hold. */
export class Registry {
  readonly #instances = new Map<string, Instance>();

  add(instance: Instance): void {
    this.#instances.set(instance.id, instance);
  }

  remove(instance: Instance): void {
    this.#instances.delete(instance.id);
  }

  list(): Instance[] {
    return [...this.#instances.values()];
  }

  has(id: string): boolean {
    return this.#instances.has(id);
  }

  match(filter: InstanceFilter): Instance[] {
    const ids = filter.instances ?? filter.instance_ids;
    return this.list().filter(
      ({ id, state, message }) =>
        message.droplet === filter.droplet &&
        (filter.version === undefined || message.version === filter.version) &&
        (ids?.includes(id) ?? true) &&
        (filter.indices?.includes(message.index) ?? true) &&
        (filter.states?.includes(state) ?? true),
    );
  }

  /** The instance that makes a start of this index and version needless. */
  findLive(droplet: string, index: number, version: string): Instance | undefined {
    return this.match({ droplet, version, indices: [index] }).find(
      ({ state }) => state === 'BORN' || state === 'STARTING' || state === 'RUNNING',
    );
  }

  /** MB held: memory by what lives, disk also by what crashed. */
  reserved(): { memoryMb: number; diskMb: number } {
    let memoryMb = 0;
    let diskMb = 0;
    for (const { state, message } of this.#instances.values()) {
      if (holdsMemory(state)) memoryMb += message.limits.mem;
      if (state !== 'STOPPED') diskMb += message.limits.disk;
    }
    return { memoryMb, diskMb };
  }

  /** process guid → instances that live or are about to. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { state, message } of this.#instances.values()) {
      if (holdsMemory(state) && state !== 'STOPPING') counts[message.droplet] = (counts[message.droplet] ?? 0) + 1;
    }
    return counts;
  }

  heartbeat(): HeartbeatEntry[] {
    return this.list().flatMap((instance) => (isReported(instance.state) ? [instance.heartbeat()] : []));
  }
}
