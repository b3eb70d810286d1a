import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { appLines, type DrainLine, systemLines } from '../core/drain-line.ts';
import { readDrain } from '../core/log-drain.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Drain } from './drain.ts';

const LOOK_EVERY_MS = 1000;

export type DrainsOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** URIs by name, as they are set now. */
  readonly wanted: () => Readonly<Record<string, string>>;
  /** Of several log servers one drains. */
  readonly isSenior: () => boolean;
  /** A node's address. */
  readonly addressOf: (nodeId: string) => string;
};

/** Sends lines of apps and of the platform to places outside of it. */
export class Drains implements AsyncDisposable {
  readonly #options: DrainsOptions;
  readonly #open: Disposable[];
  readonly #drains = new Map<string, { readonly uri: string; readonly drain: Drain }>();

  constructor(options: DrainsOptions) {
    this.#options = options;
    const { bus, clock, addressOf } = options;
    this.#open = [
      clock.every(LOOK_EVERY_MS, () => this.look()),
      bus.subscribe(subjects.appLog, ['*'], (said) => this.#add(() => appLines(said, clock.nowMs()))),
      bus.subscribe(subjects.systemLog, ['*'], (said) =>
        this.#add(() => systemLines(said, addressOf(said.node), clock.nowMs())),
      ),
      bus.subscribe(subjects.drainStates, [], (_empty, message) => {
        if (!options.isSenior()) return;
        const drains = [...this.#drains].map(([name, { drain }]) => ({ name, ...drain.state }));
        message.respond({ drains });
      }),
    ];
    void this.look();
  }

  /** Opens those that are set, and closes those that no longer are, or while another log server drains. */
  async look(): Promise<void> {
    const { wanted, isSenior, clock, log } = this.#options;
    const uris = isSenior() ? wanted() : {};
    for (const [name, { uri, drain }] of [...this.#drains]) {
      if (uris[name] === uri) continue;
      this.#drains.delete(name);
      await drain[Symbol.asyncDispose]();
      log.info('closed-drain', { drain: name });
    }
    for (const [name, uri] of Object.entries(uris)) {
      if (this.#drains.has(name)) continue;
      const target = readDrain(uri);
      if ('refused' in target) continue;
      this.#drains.set(name, { uri, drain: new Drain({ name, target, clock, log }) });
      log.info('opened-drain', { drain: name, to: `${target.host}:${target.port}` });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) one[Symbol.dispose]();
    await Promise.all([...this.#drains.values()].map(({ drain }) => drain[Symbol.asyncDispose]()));
  }

  #add(lines: () => DrainLine[]): void {
    if (this.#drains.size === 0) return;
    const said = lines();
    for (const { drain } of this.#drains.values()) drain.add(said);
  }
}
