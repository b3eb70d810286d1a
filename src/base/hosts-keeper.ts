import { readFile } from 'node:fs/promises';
import type { Bus } from '../bus/bus.ts';
import { systemHosts } from '../contract/hosts.ts';
import { subjects } from '../contract/subjects.ts';
import { readHostsBlock, writeHostsBlock } from '../core/hosts-file.ts';
import { RouteNames } from '../core/route-names.ts';
import type { Clock } from '../platform/clock.ts';
import { replaceHostsFile } from '../platform/hosts-file.ts';
import type { Log } from '../platform/log.ts';

const LOOK_EVERY_MS = 1000;

export type HostsKeeperOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly file: string;
  readonly domain: string;
  /** A host that nobody registered for this long is taken out. */
  readonly pruneS: number;
};

/**
 * Keeps the names of a micro cloud's endpoints and apps in the machine's hosts file, for clients that do not resolve
 * `*.localhost` themselves.
 */
export class HostsKeeper implements AsyncDisposable {
  readonly #options: HostsKeeperOptions;
  readonly #seen: RouteNames;
  readonly #subscriptions: Disposable[];
  #writing: Promise<void> = Promise.resolve();

  constructor(options: HostsKeeperOptions) {
    this.#options = options;
    const { bus, clock, domain, pruneS } = options;
    this.#seen = new RouteNames(domain, { keptMs: pruneS * 1000, leavingMs: pruneS * 1000 });
    this.#subscriptions = [
      // Whoever was just told that an app runs may ask for it at once.
      bus.subscribe(subjects.routerRegister, [], (place) => {
        if (this.#seen.registered(place, clock.nowMs())) void this.keep();
      }),
      clock.every(LOOK_EVERY_MS, () => this.keep()),
    ];
  }

  /** Takes over the names that are in the file: their apps repeat themselves only every few seconds. */
  async start(): Promise<void> {
    const { file, clock } = this.#options;
    const uris = readHostsBlock(await readFile(file, 'utf8'));
    this.#seen.registered({ host: '', port: 0, uris }, clock.nowMs());
    await this.keep();
  }

  /** Writes the file when it is not as it should be. */
  keep(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { file, log } = this.#options;
    try {
      const text = await readFile(file, 'utf8');
      const wanted = writeHostsBlock(text, this.#names());
      if (wanted === text) return;
      await replaceHostsFile(file, wanted);
      log.info('wrote-hosts-file', { file });
    } catch (error) {
      log.warn('failed-to-write-hosts-file', { file, error });
    }
  }

  #names(): string[] {
    const { clock, domain } = this.#options;
    return [...Object.values(systemHosts(domain)), ...this.#seen.list(clock.nowMs())];
  }
}
