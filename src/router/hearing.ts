import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const ASK_EVERY_MS = 500;
/** Round trips take a millisecond; a machine that is very busy needs more. */
const DEAF_AFTER_MS = 3000;

/**
 * Does this router hear the bus? The bus keeps the order of what it sends: with the answer to a question, everything
 * that was said before it is here. A connection whose other end vanished is no use, however long it stays open.
 */
export class Hearing implements Disposable {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timer: Disposable;
  #heardAtMs: number;

  constructor({ bus, clock, log }: { readonly bus: Bus; readonly clock: Clock; readonly log: Log }) {
    this.#bus = bus;
    this.#clock = clock;
    this.#log = log;
    this.#heardAtMs = clock.nowMs();
    this.#timer = clock.every(ASK_EVERY_MS, () => this.#ask());
  }

  isGood(): boolean {
    return this.#bus.status() === 'connected' && this.#clock.nowMs() - this.#heardAtMs < DEAF_AFTER_MS;
  }

  async #ask(): Promise<void> {
    if (this.#bus.status() !== 'connected') return;
    const askedAtMs = this.#clock.nowMs();
    try {
      await this.#bus.flush();
      this.#heardAtMs = askedAtMs;
    } catch (error) {
      // The connection broke meanwhile; its status says so.
      this.#log.debug('failed-to-ask-bus', { error });
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
