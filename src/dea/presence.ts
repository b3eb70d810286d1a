import type { Bus } from '../bus/bus.ts';
import type { ContainerEngine } from '../container/container.ts';
import { subjects } from '../contract/subjects.ts';
import { platformVersion } from '../contract/version.ts';
import type { Boot } from '../platform/config.ts';
import type { Capacity } from './capacity.ts';
import type { Registry } from './registry.ts';

export type PresenceParts = {
  readonly boot: Pick<Boot, 'node' | 'config' | 'log' | 'clock'>;
  readonly bus: Bus;
  readonly engine: ContainerEngine;
  readonly registry: Registry;
  readonly capacity: Capacity;
};

/** What a DEA says of itself on the bus: that it is there, what it holds, and what it has room for until it leaves. */
export class Presence {
  readonly #parts: PresenceParts;
  readonly #startedAtMs: number;
  #isLeaving = false;
  #isAnnouncing = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.boot.clock.nowMs();
  }

  /** It takes no more instances. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** That it is there, and all that others may have missed of it. */
  greet(): void {
    this.#parts.bus.publish(subjects.deaHello, [], this.#hello());
    this.announce();
  }

  /** What there is, again: something changed. Changes of one moment are said together. */
  announce(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    queueMicrotask(() => {
      this.#isAnnouncing = false;
      this.heartbeat();
      this.advertise().catch((error: unknown) => this.#parts.boot.log.error('failed-to-advertise', { error }));
    });
  }

  heartbeat(): void {
    const { bus, boot, registry } = this.#parts;
    const own = { dea: boot.node.id, started_at_ms: this.#startedAtMs, interval_ms: boot.config.dea.heartbeatMs };
    bus.publish(subjects.deaHeartbeat, [], { ...own, droplets: registry.heartbeat() });
  }

  async advertise(): Promise<void> {
    if (this.#isLeaving) return;
    const { bus, boot, engine, registry, capacity } = this.#parts;
    const { id, address, zone, zones, availabilityZone } = boot.node;
    const stacks = await engine.listStacks();
    const { memoryMb, diskMb } = capacity.available();
    bus.publish(subjects.deaAdvertise, [], {
      id,
      ip: address,
      available_memory: memoryMb,
      available_disk: diskMb,
      physical_memory: capacity.physicalMb,
      stacks,
      app_id_to_count: registry.counts(),
      placement_properties: { zone, ...(zones?.length ? { zones } : {}), availability_zone: availabilityZone },
    });
  }

  /** The answer to `dea.status`. */
  status() {
    const { registry, capacity } = this.#parts;
    const { memoryMb } = registry.reserved();
    return {
      ...this.#hello(),
      max_memory: capacity.memoryMb,
      reserved_memory: memoryMb,
      used_memory: memoryMb,
      num_clients: registry.list().length,
      ...(this.#isLeaving ? { state: 'SHUTTING_DOWN' } : {}),
    };
  }

  sayLeaving(): void {
    this.#isLeaving = true;
    const { bus, registry } = this.#parts;
    bus.publish(subjects.deaShutdown, [], { ...this.#hello(), app_id_to_count: registry.counts() });
  }

  #hello() {
    const { id, address } = this.#parts.boot.node;
    return { id, ip: address, version: platformVersion };
  }
}
