import type { Bus } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { subjects } from '../contract/subjects.ts';
import { afterPlacement, type DeaOffer, type InstanceNeed, type Placement, placeInstance } from '../core/placement.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';

type Surroundings = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ClusterConfig;
};

/** A DEA that said nothing for this long is forgotten. */
const FORGOTTEN_MS = 60_000;

/** What DEAs offer, from their advertisements. */
export class DeaDirectory implements Disposable {
  readonly #around: Surroundings;
  readonly #offers = new Map<string, DeaOffer>();
  readonly #subscriptions: Disposable[];
  readonly #onShutdown = new Set<(deaId: string) => void>();

  constructor(around: Surroundings) {
    this.#around = around;
    const { bus, clock } = around;
    this.#subscriptions = [
      bus.subscribe(subjects.deaAdvertise, [], (said) => {
        this.#offers.set(said.id, {
          id: said.id,
          availabilityZone: said.placement_properties.availability_zone ?? 'default',
          placementZones: said.placement_properties.zones ?? [said.placement_properties.zone],
          stacks: said.stacks,
          memoryMb: said.available_memory,
          diskMb: said.available_disk,
          instances: new Map(Object.entries(said.app_id_to_count)),
          heardAtMs: clock.nowMs(),
        });
      }),
      bus.subscribe(subjects.deaShutdown, [], ({ id }) => {
        this.#offers.delete(id);
        for (const listener of this.#onShutdown) listener(id);
      }),
    ];
    bus.publish(subjects.deaLocate, [], {});
  }

  /** Chooses a DEA for one instance, none of `except`, and counts it there at once. */
  place(need: InstanceNeed, except: readonly string[] = []): Placement {
    const { clock, config, random } = this.#around;
    const nowMs = clock.nowMs();
    for (const offer of this.#offers.values()) {
      if (offer.heardAtMs < nowMs - FORGOTTEN_MS) this.#offers.delete(offer.id);
    }
    const offers = [...this.#offers.values()].filter(({ id }) => !except.includes(id));
    const placement = placeInstance(need, offers, {
      nowMs,
      maxAgeMs: config.controller.advertisementTimeoutS * 1000,
      pick: random.pick,
    });
    if ('dea' in placement) this.#offers.set(placement.dea.id, afterPlacement(placement.dea, need));
    return placement;
  }

  /** Counts what another controller placed on a DEA, until its next advertisement. */
  count(deaId: string, need: Omit<InstanceNeed, 'stack' | 'placementZone'>): void {
    const offer = this.#offers.get(deaId);
    if (offer) this.#offers.set(deaId, afterPlacement(offer, { ...need, stack: '' }));
  }

  onShutdown(listener: (deaId: string) => void): void {
    this.#onShutdown.add(listener);
  }

  /** Offers as they are now, for `/varz`. */
  list(): readonly DeaOffer[] {
    return [...this.#offers.values()];
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }
}
