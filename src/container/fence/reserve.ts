import type { Random } from '../../platform/random.ts';
import type { ContainerSpec, Limits } from '../container.ts';
import type { Entry } from './containers.ts';
import type { ContainerRecord } from './record.ts';
import { finish, makeWaiting, recipeOf, type User, type WaitingTools, writeNames } from './waiting.ts';

/** Filling waits until nothing was taken for so long: starts that come together get the whole machine. */
const QUIET_MS = 500;
const RETRY_MS = 10_000;
/** What a container is made with that nobody asked for yet; memory is limited when somebody does. */
const LIMITS: Limits = { memoryMb: 0, diskMb: 0, pids: 64, fds: 16_384 };
const USER: User = { uid: 2000, gid: 2000 };

export type ReserveTools = WaitingTools & { readonly random: Random };

/** Containers made ahead: all of a container but its root, limits, ports and process. */
export class Reserve {
  readonly #tools: ReserveTools;
  readonly #recipe: string;
  readonly #ready: Entry[] = [];
  readonly #closing = new AbortController();
  #wanted: number | undefined;
  #filling: Promise<void> | undefined;
  #usedAtMs = 0;

  constructor(tools: ReserveTools) {
    this.#tools = tools;
    this.#recipe = recipeOf(tools, USER, LIMITS);
  }

  /** Has so many ready once this resolves; also those of an engine before, unless they were made otherwise. */
  async keep(count: number): Promise<void> {
    this.#wanted = count;
    await this.#filling;
    await this.#adopt();
    for (const entry of this.#ready.splice(count)) await this.#remove(entry);
    while (this.#ready.length < this.#wanted && !this.#closing.signal.aborted) await this.#makeOne();
  }

  /** One that fits, which is the caller's from then on. */
  async take(spec: ContainerSpec): Promise<Entry | undefined> {
    this.#usedAtMs = this.#tools.clock.nowMs();
    const { user, limits, mounts = [] } = spec;
    const fits =
      user?.uid === USER.uid &&
      user.gid === USER.gid &&
      limits.fds <= LIMITS.fds &&
      mounts.every(({ writable }) => writable);
    for (let entry = fits ? this.#ready.shift() : undefined; entry; entry = this.#ready.shift()) {
      this.#fill();
      if (await this.#tools.containers.isWaiting(entry)) return entry;
      await this.#remove(entry);
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the engine is closed'));
    await this.#filling;
  }

  #fill(): void {
    this.#filling ??= this.#fillQuietly().finally(() => {
      this.#filling = undefined;
    });
  }

  async #fillQuietly(): Promise<void> {
    const { clock, log } = this.#tools;
    const { signal } = this.#closing;
    const pause = (ms: number) => Promise.allSettled([clock.sleep(ms, signal)]);
    while (this.#ready.length < (this.#wanted ?? 0) && !signal.aborted) {
      const quietInMs = this.#usedAtMs + QUIET_MS - clock.nowMs();
      if (quietInMs > 0) await pause(quietInMs);
      else {
        try {
          await this.#makeOne();
        } catch (error) {
          log.warn('fail-to-make-container-ahead', { error });
          await pause(RETRY_MS);
        }
      }
    }
  }

  async #makeOne(): Promise<void> {
    const { containers, layout, network, ids, random } = this.#tools;
    // No handle has such a letter.
    const id = `_${random.hex(8)}`;
    await containers.inTurn(id, async () => {
      const entry = containers.enter(this.#recordOf(id, { ...network.take([]), firstId: ids.take() }));
      try {
        await containers.makeFolder(entry);
        await writeNames({ layout }, entry.record);
        await makeWaiting(this.#tools, entry, USER);
        await finish(this.#tools, entry.record, { connect: true });
        await containers.update(entry, { phase: 'ready' });
        this.#ready.push(entry);
      } catch (error) {
        await containers.remove(entry);
        throw error;
      }
    });
  }

  async #adopt(): Promise<void> {
    const { containers } = this.#tools;
    for (const entry of await containers.all()) {
      if (entry.record.phase !== 'ready' || this.#ready.includes(entry)) continue;
      if (entry.record.recipe === this.#recipe && (await containers.isWaiting(entry))) this.#ready.push(entry);
      else await this.#remove(entry);
    }
  }

  async #remove(entry: Entry): Promise<void> {
    await this.#tools.containers.inTurn(entry.record.id, () => this.#tools.containers.remove(entry));
  }

  #recordOf(id: string, place: Pick<ContainerRecord, 'slot' | 'address' | 'ports' | 'firstId'>): ContainerRecord {
    return {
      ...{ handle: id, id, phase: 'creating', bootId: this.#tools.bootId, recipe: this.#recipe },
      ...place,
      ...{ egress: [], limits: LIMITS, mounts: [], labels: {} },
      createdAtMs: this.#tools.clock.nowMs(),
    };
  }
}
