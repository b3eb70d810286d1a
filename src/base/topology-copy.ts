import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Topology } from '../contract/topology.ts';
import type { Log } from '../platform/log.ts';

const ASK_TIMEOUT_MS = 5000;

/** Keeps this node's copy of the cluster's nodes: read at start, on each change and when the bus is back. */
export class TopologyCopy implements Disposable {
  readonly #options: { bus: Bus; log: Log; apply: (topology: Topology) => Promise<void> };
  readonly #subscriptions: Disposable[];

  /** @param options `apply` stores the copy and makes the links follow it */
  constructor(options: { bus: Bus; log: Log; apply: (topology: Topology) => Promise<void> }) {
    this.#options = options;
    this.#subscriptions = [
      options.bus.subscribe(subjects.topologyChanged, [], () => this.refresh(), { serial: true }),
      options.bus.onStatus((status) => status === 'connected' && void this.refresh()),
    ];
  }

  /** Without a primary that answers, the old copy stays. */
  async refresh(): Promise<void> {
    const { bus, log, apply } = this.#options;
    try {
      const [topology] = await bus.request(subjects.topologyGet, [], {}, { timeoutMs: ASK_TIMEOUT_MS });
      if (topology !== undefined) await apply(topology);
    } catch (error) {
      log.error('failed-to-copy-topology', { error });
    }
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }
}
