import type { Bus } from '../bus/bus.ts';
import { ClusterConfig } from '../contract/config.ts';
import { DecodeError, decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { changeSetting } from '../core/config-change.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { ConfigStore } from './store/config-store.ts';

/** Serves the cluster configuration on the bus, changes it when asked, and tells every node. */
export class ConfigService implements Disposable {
  readonly #options: { bus: Bus; store: ConfigStore; clock: Clock; log: Log };
  readonly #subscriptions: Disposable[];

  constructor(options: { bus: Bus; store: ConfigStore; clock: Clock; log: Log }) {
    this.#options = options;
    const { bus, store } = options;
    this.#subscriptions = [
      bus.subscribe(subjects.configGet, [], async (_empty, message) => message.respond(await store.read())),
      bus.subscribe(subjects.configSet, [], async (change, message) => message.respond(await this.set(change)), {
        serial: true,
      }),
    ];
  }

  /** Changes one setting; the answer tells the new revision, or why not. */
  async set(change: { path: string; value?: unknown }): Promise<{ revision: number; refused?: string }> {
    const { bus, store, clock, log } = this.#options;
    let refused: string | undefined;
    const revision = await store.update((config) => {
      const changed = changeSetting(ClusterConfig, config, change);
      refused = 'refused' in changed ? changed.refused : whyInvalid(changed.config);
      return 'refused' in changed || refused !== undefined ? undefined : changed.config;
    }, new Date(clock.nowMs()));
    if (refused !== undefined) return { revision, refused };
    bus.publish(subjects.configChanged, [], { revision });
    log.info('changed-config', { path: change.path, revision });
    return { revision };
  }

  /** Tells every node to read again; said at start, because a change may have been missed. */
  async announce(): Promise<void> {
    const { bus, store } = this.#options;
    bus.publish(subjects.configChanged, [], { revision: (await store.read()).revision });
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }
}

function whyInvalid(config: unknown): string | undefined {
  try {
    decode(ClusterConfig, config, 'setting');
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}
