import type { Bus } from '../bus/bus.ts';
import { systemHosts } from '../contract/hosts.ts';
import { subjects } from '../contract/subjects.ts';
import { RouteNames } from '../core/route-names.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Responder } from './responder.ts';

const LOOK_EVERY_MS = 500;
const LEAVING_MS = 5000;
const PROBING_AT_MOST_MS = 3000;

export type PublisherOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly responder: Responder;
  /** `NAME.local`. */
  readonly name: string;
  /** The cluster's domain; apps are published when it is the same. */
  readonly domain: string;
  readonly pruneS: number;
};

/** Says which names there are: the machine's, and those of the platform and its apps as the routers know them. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #routes: RouteNames;
  readonly #subscriptions: Disposable[] = [];

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#routes = new RouteNames(options.domain, { keptMs: options.pruneS * 1000, leavingMs: LEAVING_MS });
  }

  /** Resolves when it is known which names can be had. */
  async start(): Promise<void> {
    const { bus, clock, log, responder, name, domain } = this.#options;
    if (name !== domain) log.warn('publish-machine-only', { name, domain, because: `apps are below ${domain}` });
    this.#subscriptions.push(
      bus.subscribe(subjects.routerRegister, [], (place) => this.#routes.registered(place, clock.nowMs())),
      bus.subscribe(subjects.routerUnregister, [], (place) => this.#routes.unregistered(place, clock.nowMs())),
    );
    await responder.start(this.#names());
    this.#subscriptions.push(clock.every(LOOK_EVERY_MS, () => responder.want(this.#names())));
    const deadlineMs = clock.nowMs() + PROBING_AT_MOST_MS;
    while (responder.isProbing() && clock.nowMs() < deadlineMs) await clock.sleep(100);
    log.info('published-names', { held: responder.held(), taken: responder.taken() });
  }

  async stop(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    await this.#options.responder.stop();
  }

  unwell(): string | undefined {
    const taken = this.#options.responder.taken();
    if (taken.length === 0) return undefined;
    const list = taken.map(({ name, by }) => `${name} (${by})`).join(', ');
    return `another machine in this network has the name ${list}; give this one another name (kato config set mdns.name NAME) or change that one's`;
  }

  varz(): Record<string, unknown> {
    const { responder, name } = this.#options;
    return { name, held: responder.held(), taken: responder.taken() };
  }

  #names(): string[] {
    const { name, domain, clock } = this.#options;
    if (name !== domain) return [name];
    return [name, ...Object.values(systemHosts(domain)), ...this.#routes.list(clock.nowMs())];
  }
}
