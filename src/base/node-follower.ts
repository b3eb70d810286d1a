import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../platform/clock.ts';
import { slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const AGAIN_MS = 30_000;

type Copied = 'settings' | 'topology';
const all: readonly Copied[] = ['settings', 'topology'];

export type NodeFollowerOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Brings the node up to date; gives the exit code. */
  readonly update: () => Promise<number>;
};

/**
 * Has this node take up what changed while it was away: a node that is there is told by the Core's kato. The update
 * restarts this process when it has changed anything, so it is repeated for as long as it is not.
 */
export class NodeFollower implements Disposable {
  readonly #options: NodeFollowerOptions;
  readonly #subscription: Disposable;
  readonly #stop = new AbortController();
  /** What was not read from the primary since it was away. */
  #unread = new Set<Copied>(all);
  #isFollowing = false;

  constructor(options: NodeFollowerOptions) {
    this.#options = options;
    this.#subscription = options.bus.onStatus((status) => {
      if (status === 'connected') this.#unread = new Set(all);
    });
  }

  /** Something was read from the primary; `because` says in what it is other than this process began with. */
  saw(copied: Copied, because: string | undefined): void {
    const isFirst = this.#unread.delete(copied);
    if (because !== undefined && isFirst && !this.#isFollowing) void this.#follow(because);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#subscription[Symbol.dispose]();
  }

  async #follow(because: string): Promise<void> {
    const { clock, log, update } = this.#options;
    this.#isFollowing = true;
    do {
      log.info('updates-node', { because });
      try {
        log.info('updated-node', { code: await update() });
      } catch (error) {
        log.error('failed-to-update-node', { error });
      }
    } while (await slept(clock, AGAIN_MS, this.#stop.signal));
  }
}
