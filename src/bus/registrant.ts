import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Bus } from './bus.ts';

export type Registration = PayloadOf<typeof subjects.routerRegister>;

/**
 * Keeps routes registered: says all of them at start, on each `router.start` or greeting, after a reconnect, and at
 * the interval the routers ask for; takes them back when disposed, unless others stand behind them too.
 */
export class Registrant implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #registrations: () => readonly Registration[];
  readonly #isShared: boolean;
  readonly #subscriptions: Disposable[] = [];
  #timer: Disposable;

  constructor(options: {
    bus: Bus;
    clock: Clock;
    intervalS: number;
    /** Everything that should be routed now. */
    registrations: () => readonly Registration[];
    /** Others may stand behind the same registrations: nothing is taken back, silence of all of them ends it. */
    isShared?: boolean;
  }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#registrations = options.registrations;
    this.#isShared = options.isShared ?? false;
    this.#timer = this.#clock.every(options.intervalS * 1000, () => this.registerAll());
    this.#subscriptions.push(
      this.#bus.subscribe(subjects.routerStart, [], (start) => this.#greeted(start.minimumRegisterIntervalInSeconds)),
      this.#bus.onStatus((status) => status === 'connected' && this.registerAll()),
    );
    this.registerAll();
    void this.#greet();
  }

  /** Says every registration again. */
  registerAll(): void {
    for (const registration of this.#registrations()) this.register(registration);
  }

  register(registration: Registration): void {
    this.#bus.publish(subjects.routerRegister, [], registration);
  }

  unregister(registration: Registration): void {
    this.#bus.publish(subjects.routerUnregister, [], registration);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    if (!this.#isShared) for (const registration of this.#registrations()) this.unregister(registration);
    await this.#bus.flush();
  }

  async #greet(): Promise<void> {
    const [router] = await this.#bus.request(subjects.routerGreet, [], {}, { timeoutMs: 2000 });
    if (router) this.#setInterval(router.minimumRegisterIntervalInSeconds);
  }

  #greeted(intervalS: number): void {
    this.#setInterval(intervalS);
    this.registerAll();
  }

  #setInterval(intervalS: number): void {
    this.#timer[Symbol.dispose]();
    this.#timer = this.#clock.every(Math.max(1, intervalS) * 1000, () => this.registerAll());
  }
}
