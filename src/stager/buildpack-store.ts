import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '../contract/errors.ts';
import type { ChosenBuildpack } from '../core/buildpack-choice.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { unpackArchive } from './archive.ts';
import { findStats } from './foreign-file.ts';
import { download } from './transfer.ts';

export type BuildpackStoreOptions = {
  /** Folder of our own buildpacks. */
  readonly builtin: string;
  /** Folder for unpacked archives. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
};

const LIMITS = { maxEntries: 100_000, maxBytes: 4 * 1024 ** 3 };
const MAX_ARCHIVE_BYTES = 2 * 1024 ** 3;

/** Buildpacks as folders on this machine: our own where they are, uploaded ones unpacked once per content. */
export class BuildpackStore {
  readonly #options: BuildpackStoreOptions;

  constructor(options: BuildpackStoreOptions) {
    this.#options = options;
  }

  /** The folder of a buildpack; undefined when it is to be fetched inside the container. */
  async folderOf({ name, source }: ChosenBuildpack, signal: AbortSignal): Promise<string | undefined> {
    if (source.kind === 'builtin') return join(this.#options.builtin, source.folder);
    if (source.kind !== 'archive') return undefined;
    const known = source.sha256 === null ? undefined : this.#folder(source.sha256);
    if (known !== undefined && (await isFolder(known))) return known;
    return await this.#fetch(name, source, signal);
  }

  async #fetch(name: string, source: { url: string; sha256: string | null }, signal: AbortSignal): Promise<string> {
    const { folder, clock, random } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const scratch = join(folder, `new-${random.hex(8)}`);
    const archive = `${scratch}.zip`;
    try {
      const what = `buildpack ${name}`;
      const sha256 = await download(source.url, archive, { clock, signal, what, maxBytes: MAX_ARCHIVE_BYTES });
      if (sha256 === undefined) throw new PlatformError('StagingError', `the controller has no archive of ${what}`);
      if (source.sha256 !== null && sha256 !== source.sha256.toLowerCase()) {
        throw new PlatformError('StagingError', `the archive of ${what} is damaged: its SHA-256 is ${sha256}`);
      }
      const target = this.#folder(sha256);
      if (await isFolder(target)) return target;
      await unpackArchive(archive, scratch, LIMITS);
      await keep(scratch, target);
      return target;
    } finally {
      await rm(archive, { force: true });
      await rm(scratch, { recursive: true, force: true });
    }
  }

  #folder(sha256: string): string {
    if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new PlatformError('BadRequest', `'${sha256}' is no SHA-256`);
    return join(this.#options.folder, sha256.toLowerCase());
  }
}

/** Two tasks may have unpacked the same archive; the first one's folder stays. */
async function keep(scratch: string, target: string): Promise<void> {
  try {
    await rename(scratch, target);
  } catch (error) {
    if (!(await isFolder(target))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await findStats(path))?.isDirectory() ?? false;
}
