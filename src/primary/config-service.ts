import type { Bus } from '../bus/bus.ts';
import { ClusterConfig, secretSettings } from '../contract/config.ts';
import { DecodeError, decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { changeSetting, type SettingChange } from '../core/config-change.ts';
import { configFault } from '../core/config-rules.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { ConfigStore } from './store/config-store.ts';
import type { SecretStore } from './store/secret-store.ts';

type Outcome = { readonly revision: number; readonly refused?: string };

export type ConfigServiceOptions = {
  readonly bus: Bus;
  readonly store: ConfigStore;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly log: Log;
};

/** Serves the cluster configuration on the bus, changes it when asked, and tells every node. */
export class ConfigService implements Disposable {
  readonly #options: ConfigServiceOptions;
  readonly #subscriptions: Disposable[];

  constructor(options: ConfigServiceOptions) {
    this.#options = options;
    const { bus, store, secrets } = options;
    this.#subscriptions = [
      bus.subscribe(subjects.configGet, [], async (_empty, message) =>
        message.respond({ ...(await store.read()), secrets: (await secrets.names()).filter(isSetting) }),
      ),
      bus.subscribe(subjects.configSet, [], async (change, message) => message.respond(await this.set(change)), {
        serial: true,
      }),
      bus.subscribe(subjects.secretGet, [], async ({ name }, message) => {
        const value = isSetting(name) ? await secrets.read(name) : undefined;
        message.respond(value === undefined ? {} : { value });
      }),
    ];
  }

  /** Changes one setting; the answer tells the new revision, or why not. */
  async set(change: SettingChange): Promise<Outcome> {
    if (isSetting(change.path)) return this.#setSecret(change);
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

  async #setSecret({ path, value, action = 'set' }: SettingChange): Promise<Outcome> {
    const { store, secrets, clock, log } = this.#options;
    const { revision } = await store.read();
    if (action !== 'set') return { revision, refused: `${path} is no list` };
    if (value !== undefined && (typeof value !== 'string' || !/^\P{Cc}{1,4096}$/u.test(value))) {
      return { revision, refused: `${path} takes one line of 1 to 4096 characters` };
    }
    await secrets.write(path, value, new Date(clock.nowMs()));
    log.info('changed-secret-setting', { path, isSet: value !== undefined });
    return { revision };
  }
}

function isSetting(name: string): boolean {
  return Object.hasOwn(secretSettings, name);
}

function whyInvalid(config: unknown): string | undefined {
  try {
    return configFault(decode(ClusterConfig, config, 'setting'));
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}
