import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';

/** Another log server. `sinceMs`: since when it has heard every line, epoch ms. */
export type Peer = { readonly id: string; readonly sinceMs: number };

const BEAT_MS = 5000;
const LOST_MS = 3 * BEAT_MS;

/**
 * Which log servers there are. The one that has listened for longest without a gap answers all readers, whichever they
 * ask: there times and order are one.
 */
export class Peers implements Disposable {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #peers = new Map<string, Peer & { readonly heardAtMs: number }>();
  readonly #open: Disposable[];
  #sinceMs: number;

  constructor(around: { bus: Bus; clock: Clock; id: string }) {
    const { bus, clock, id } = around;
    this.#bus = bus;
    this.#clock = clock;
    this.#id = id;
    this.#sinceMs = clock.nowMs();
    this.#open = [
      bus.subscribe(subjects.logyardPeer, [], (said) => this.#hear(said)),
      clock.every(BEAT_MS, () => this.#beat()),
      bus.onStatus((status) => {
        if (status !== 'connected') return;
        this.#sinceMs = clock.nowMs();
        this.#beat();
      }),
    ];
    this.#beat();
  }

  get id(): string {
    return this.#id;
  }

  /** The others, the one that has listened for longest first. */
  others(): Peer[] {
    const oldestMs = this.#clock.nowMs() - LOST_MS;
    const alive = [...this.#peers.values()].filter(({ heardAtMs }) => heardAtMs >= oldestMs);
    return alive.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** Who answers readers; undefined when that is this one. */
  senior(): Peer | undefined {
    const [first] = this.others();
    return first && isBefore(first, { id: this.#id, sinceMs: this.#sinceMs }) ? first : undefined;
  }

  /** It did not answer: until it is heard again it is gone. */
  lost(id: string): void {
    this.#peers.delete(id);
  }

  [Symbol.dispose](): void {
    for (const one of this.#open) one[Symbol.dispose]();
    this.#bus.publish(subjects.logyardPeer, [], { id: this.#id, since: this.#sinceMs, leaving: true });
  }

  #beat(): void {
    this.#bus.publish(subjects.logyardPeer, [], { id: this.#id, since: this.#sinceMs, leaving: false });
  }

  #hear(said: { id: string; since: number; leaving: boolean }): void {
    if (said.id === this.#id) return;
    if (said.leaving) return void this.#peers.delete(said.id);
    const isNew = !this.#peers.has(said.id);
    this.#peers.set(said.id, { id: said.id, sinceMs: said.since, heardAtMs: this.#clock.nowMs() });
    // So that it need not wait for the next beat.
    if (isNew) this.#beat();
  }
}

const isBefore = (a: Peer, b: Peer) => a.sinceMs < b.sinceMs || (a.sinceMs === b.sinceMs && a.id < b.id);
