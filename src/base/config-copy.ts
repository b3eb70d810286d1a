import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Log } from '../platform/log.ts';

const ASK_TIMEOUT_MS = 5000;

/** Keeps this node's copy of the cluster configuration: read at start, and again on each change. */
export class ConfigCopy implements Disposable {
  readonly #options: { bus: Bus; log: Log; write: (config: unknown) => Promise<boolean> };
  readonly #subscriptions: Disposable[];

  /** @param options `write` stores the copy and gives true when it differs from the one before */
  constructor(options: { bus: Bus; log: Log; write: (config: unknown) => Promise<boolean> }) {
    this.#options = options;
    this.#subscriptions = [
      options.bus.subscribe(subjects.configChanged, [], () => this.refresh(), { serial: true }),
      options.bus.onStatus((status) => status === 'connected' && void this.refresh()),
    ];
  }

  /** Without a primary that answers, the old copy stays. */
  async refresh(): Promise<void> {
    const { bus, log, write } = this.#options;
    try {
      const [snapshot] = await bus.request(subjects.configGet, [], {}, { timeoutMs: ASK_TIMEOUT_MS });
      if (snapshot !== undefined && (await write(snapshot.config)))
        log.info('copied-config', { revision: snapshot.revision });
    } catch (error) {
      log.error('failed-to-copy-config', { error });
    }
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }
}
