import type { Bus } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { subjects } from '../contract/subjects.ts';
import { sightings } from '../core/build-expiry.ts';
import { chooseStager, type StagerChoice, type StagerOffer } from '../core/stager-choice.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';

type Surroundings = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ClusterConfig;
};

const FORGOTTEN_MS = 60_000;

/** What stagers offer, from their advertisements, and which builds they say they work on. */
export class StagerDirectory implements Disposable {
  readonly #around: Surroundings;
  readonly #offers = new Map<string, StagerOffer>();
  readonly #subscription: Disposable;
  /** Epoch ms of the start of this process. */
  readonly sinceMs: number;
  #seen: ReadonlyMap<string, number> = new Map();
  #lastHeardMs = 0;
  #connectedAtMs: number;
  readonly #status: Disposable;

  constructor(around: Surroundings) {
    this.#around = around;
    const { bus, clock } = around;
    this.sinceMs = clock.nowMs();
    this.#connectedAtMs = this.sinceMs;
    this.#status = bus.onStatus((status) => {
      if (status !== 'connected') return;
      this.#connectedAtMs = clock.nowMs();
      bus.publish(subjects.stagingLocate, [], {});
    });
    this.#subscription = bus.subscribe(subjects.stagingAdvertise, [], (said) => {
      const offer = {
        id: said.id,
        stacks: said.stacks,
        memoryMb: said.available_memory,
        tasks: said.tasks ?? [],
        heardAtMs: clock.nowMs(),
      };
      // One that offers no stack is about to end.
      if (said.stacks.length === 0) this.#offers.delete(said.id);
      else this.#offers.set(said.id, offer);
      this.#lastHeardMs = offer.heardAtMs;
      this.#seen = sightings([offer], this.#seen);
    });
    bus.publish(subjects.stagingLocate, [], {});
  }

  choose(need: { memoryMb: number; stack: string; except: ReadonlySet<string> }): StagerChoice {
    const { clock, config, random } = this.#around;
    const nowMs = clock.nowMs();
    for (const offer of this.#offers.values()) {
      if (offer.heardAtMs < nowMs - FORGOTTEN_MS) this.#offers.delete(offer.id);
    }
    return chooseStager(need, [...this.#offers.values()], {
      nowMs,
      maxAgeMs: config.controller.advertisementTimeoutS * 1000,
      pick: random.pick,
    });
  }

  /** Is it likely that a stager announces itself soon, there being none now? */
  mayReturn(withinMs: number): boolean {
    const { bus, clock } = this.#around;
    if (bus.status() !== 'connected') return true;
    return clock.nowMs() - Math.max(this.sinceMs, this.#connectedAtMs, this.#lastHeardMs) < withinMs;
  }

  /** Epoch ms since when every stager has been heard without a gap; undefined while the bus is away. */
  get listeningSinceMs(): number | undefined {
    return this.#around.bus.status() === 'connected' ? Math.max(this.sinceMs, this.#connectedAtMs) : undefined;
  }

  /** Counts a build that was just given to a stager, until its next advertisement. */
  reserve(stagerId: string, memoryMb: number): void {
    const offer = this.#offers.get(stagerId);
    if (offer) this.#offers.set(stagerId, { ...offer, memoryMb: offer.memoryMb - memoryMb });
  }

  /** When each of these builds was last named by a stager, epoch ms; all others are forgotten. */
  lastSeen(builds: readonly string[]): ReadonlyMap<string, number> {
    const kept = new Map<string, number>();
    for (const build of builds) {
      const seen = this.#seen.get(build);
      if (seen !== undefined) kept.set(build, seen);
    }
    this.#seen = kept;
    return kept;
  }

  list(): readonly StagerOffer[] {
    return [...this.#offers.values()];
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#status[Symbol.dispose]();
  }
}
