import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Static } from 'typebox';
import Type from 'typebox';
import { DecodeError, decode } from '../contract/decode.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readJsonIfExists, writeFileAtomic } from '../platform/files.ts';
import { ClientError } from './client-error.ts';

const Named = Type.Object({ guid: Type.String(), name: Type.String() });
const TargetEntry = Type.Object({
  login: Type.String(),
  uaa: Type.String(),
  logCache: Type.String(),
  skipSslValidation: Type.Boolean({ default: false }),
  ca: Type.Optional(Type.String()),
  user: Type.Optional(Type.String()),
  accessToken: Type.Optional(Type.String()),
  refreshToken: Type.Optional(Type.String()),
  organization: Type.Optional(Named),
  space: Type.Optional(Named),
});
const ConfigFile = Type.Object({
  target: Type.Optional(Type.String()),
  targets: Type.Record(Type.String(), TargetEntry, { default: {} }),
});

/** What is remembered of one target; the key it is kept under is the API's URL. */
export type TargetEntry = Static<typeof TargetEntry>;
export type Named = Static<typeof Named>;
export type ConfigFile = Static<typeof ConfigFile>;

const LOCK_WAIT_MS = 20_000;
const LOCK_STALE_MS = 60_000;

/** The user's `config.json`: targets, tokens, the chosen organization and space. */
export class ConfigStore {
  readonly path: string;
  readonly #clock: Clock;

  constructor(home: string, clock: Clock) {
    this.path = join(home, 'config.json');
    this.#clock = clock;
  }

  async read(): Promise<ConfigFile> {
    try {
      return decode(ConfigFile, (await readJsonIfExists(this.path)) ?? {}, this.path);
    } catch (error) {
      const isBroken = error instanceof DecodeError || (error as Error).message.includes('is not JSON');
      if (!isBroken) throw error;
      throw new ClientError((error as Error).message, { cause: error, next: `Remove ${this.path}, then log in again` });
    }
  }

  /** Reads, changes and writes as one step; other commands that do so wait. */
  async change<T>(change: (config: ConfigFile) => Promise<T> | T): Promise<T> {
    const release = await this.#lock();
    try {
      const config = await this.read();
      const result = await change(config);
      await writeFileAtomic(this.path, `${JSON.stringify(config, null, 2)}\n`, 0o600);
      return result;
    } finally {
      await release();
    }
  }

  async #lock(): Promise<() => Promise<void>> {
    const path = `${this.path}.lock`;
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    const giveUpAtMs = this.#clock.nowMs() + LOCK_WAIT_MS;
    for (;;) {
      try {
        const file = await open(path, 'wx', 0o600);
        await file.close();
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (await this.#isStale(path)) await rm(path, { force: true });
        else if (this.#clock.nowMs() > giveUpAtMs) {
          throw new ClientError(`Another command holds ${path}`, { next: `If none is running, remove ${path}` });
        } else await this.#clock.sleep(20);
      }
    }
  }

  async #isStale(path: string): Promise<boolean> {
    try {
      return this.#clock.nowMs() - (await stat(path)).mtimeMs > LOCK_STALE_MS;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}
