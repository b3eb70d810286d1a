import type { Bus } from '../bus/bus.ts';
import type { NodeCertificates } from '../contract/messages/cluster.ts';
import { subjects } from '../contract/subjects.ts';
import type { Topology } from '../contract/topology.ts';
import { type Clock, slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const ASK_TIMEOUT_MS = 2000;
const ASK_AGAIN_MS = 1000;

type Copied = { readonly revision: number };

export type PrimaryCopyOptions<T extends Copied> = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Stores the copy. */
  readonly apply: (value: T) => Promise<void>;
};

type Source<T extends Copied> = {
  readonly ask: (signal: AbortSignal) => Promise<T | undefined>;
  readonly onChange: (listener: (change: Copied) => void) => Disposable;
};

/** This node's copy of something that the primary keeps: read at start, on each change and when the bus is back. */
export class PrimaryCopy<T extends Copied> implements Disposable {
  readonly #options: PrimaryCopyOptions<T>;
  readonly #source: Source<T>;
  readonly #subscriptions: Disposable[];
  readonly #stop = new AbortController();
  #asking: Promise<void> | undefined;
  #announced = 0;

  private constructor(options: PrimaryCopyOptions<T>, source: Source<T>) {
    this.#options = options;
    this.#source = source;
    this.#subscriptions = [
      source.onChange(({ revision }) => {
        this.#announced = Math.max(this.#announced, revision);
        void this.refresh();
      }),
      options.bus.onStatus((status) => status === 'connected' && void this.refresh()),
    ];
  }

  /** The cluster configuration. */
  static ofConfig(options: PrimaryCopyOptions<Copied & { readonly config: unknown }>) {
    const { bus } = options;
    return new PrimaryCopy(options, {
      ask: async (signal) => (await bus.request(subjects.configGet, [], {}, { timeoutMs: ASK_TIMEOUT_MS, signal }))[0],
      onChange: (listener) => bus.subscribe(subjects.configChanged, [], listener),
    });
  }

  /** The nodes of the cluster. */
  static ofTopology(options: PrimaryCopyOptions<Topology>): PrimaryCopy<Topology> {
    const { bus } = options;
    return new PrimaryCopy(options, {
      ask: async (signal) =>
        (await bus.request(subjects.topologyGet, [], {}, { timeoutMs: ASK_TIMEOUT_MS, signal }))[0],
      onChange: (listener) => bus.subscribe(subjects.topologyChanged, [], listener),
    });
  }

  /** The certificates of its own that this node is to serve. Secret. */
  static ofCertificates(options: PrimaryCopyOptions<NodeCertificates>, nodeId: string): PrimaryCopy<NodeCertificates> {
    const { bus } = options;
    return new PrimaryCopy(options, {
      ask: async (signal) =>
        (await bus.request(subjects.certificatesOf, [nodeId], {}, { timeoutMs: ASK_TIMEOUT_MS, signal }))[0],
      onChange: (listener) => bus.subscribe(subjects.certificatesChanged, [], listener),
    });
  }

  /** Asks until the primary answers with what it announced last; the old copy stays until then. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stop;
    const { clock, log, apply } = this.#options;
    do {
      try {
        // An answer can be lost: the bus server forgets who may answer whom when its users change.
        const value = await this.#source.ask(signal);
        if (value !== undefined) await apply(value);
        if (value !== undefined && value.revision >= this.#announced) return;
      } catch (error) {
        log.error('failed-to-copy-from-primary', { error });
      }
    } while (await slept(clock, ASK_AGAIN_MS, signal));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }
}
