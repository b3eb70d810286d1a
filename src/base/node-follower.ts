import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../platform/clock.ts';
import { slept } from '../platform/clock.ts';
import { start } from '../platform/exec.ts';
import type { Log } from '../platform/log.ts';

const AGAIN_MS = 30_000;

export type NodeFollowerOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Path of kato's launcher. */
  readonly kato: string;
  readonly environment: Readonly<Record<string, string>>;
};

/**
 * Has this node take up what changed while it was away: a node that is there is told by the Core's kato. The update
 * restarts this process when it has changed anything, so it is repeated for as long as it is not.
 */
export class NodeFollower implements Disposable {
  readonly #options: NodeFollowerOptions;
  readonly #subscription: Disposable;
  readonly #stop = new AbortController();
  #wasAway = true;
  #isFollowing = false;

  constructor(options: NodeFollowerOptions) {
    this.#options = options;
    this.#subscription = options.bus.onStatus((status) => {
      if (status === 'connected') this.#wasAway = true;
    });
  }

  /** Something was read from the primary; `because` says in what it is other than this process began with. */
  saw(because: string | undefined): void {
    if (because !== undefined && this.#wasAway && !this.#isFollowing) void this.#follow(because);
    this.#wasAway = false;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#subscription[Symbol.dispose]();
  }

  async #follow(because: string): Promise<void> {
    const { clock, log } = this.#options;
    this.#isFollowing = true;
    do {
      log.info('updates-node', { because });
      const code = await this.#update();
      log.info('updated-node', { code });
    } while (await slept(clock, AGAIN_MS, this.#stop.signal));
  }

  #update(): Promise<number | null> {
    const { kato, environment, log } = this.#options;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    const child = start([kato, 'node', 'update'], { cwd: '/', env: environment, detached: true }, [
      'ignore',
      'ignore',
      'ignore',
    ]);
    child.on('error', (error) => {
      log.error('failed-to-update-node', { error });
      resolve(null);
    });
    child.on('close', resolve);
    child.unref();
    return promise;
  }
}
