import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
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
  /** Unpacked archives that are kept beside those in use. */
  readonly most?: number;
};

const LIMITS = { maxEntries: 100_000, maxBytes: 4 * 1024 ** 3 };
const MAX_ARCHIVE_BYTES = 2 * 1024 ** 3;
const MOST = 10;

/**
 * Buildpacks as folders on this machine: our own where they are, uploaded ones unpacked once per content. Of those only
 * the ones that were used last are kept.
 */
export class BuildpackStore {
  readonly #options: BuildpackStoreOptions;
  /** Folders by the task that uses them. */
  readonly #held = new Map<string, Set<string>>();

  constructor(options: BuildpackStoreOptions) {
    this.#options = options;
  }

  /**
   * The folder of a buildpack; undefined when it is to be fetched inside the container.
   *
   * @param task what uses it: the folder stays until this is released
   */
  async folderOf({ name, source }: ChosenBuildpack, task: string, signal: AbortSignal): Promise<string | undefined> {
    if (source.kind === 'builtin') return join(this.#options.builtin, source.folder);
    if (source.kind !== 'archive') return undefined;
    const known = source.sha256 === null ? undefined : this.#folder(source.sha256);
    if (known !== undefined) this.#hold(task, known);
    if (known !== undefined && (await isFolder(known))) {
      await this.#touch(known);
      return known;
    }
    const fetched = await this.#fetch(name, source, { signal, task });
    await this.#touch(fetched);
    await this.#prune();
    return fetched;
  }

  /** A task has ended: what it used may go. */
  release(task: string): void {
    this.#held.delete(task);
  }

  /** Removes what an earlier process left half done, and what is too much. */
  async clean(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      if (!isContent(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
    await this.#prune();
  }

  #hold(task: string, folder: string): void {
    this.#held.set(task, (this.#held.get(task) ?? new Set()).add(folder));
  }

  async #touch(folder: string): Promise<void> {
    const now = new Date(this.#options.clock.nowMs());
    await utimes(folder, now, now);
  }

  async #prune(): Promise<void> {
    const { folder, most = MOST } = this.#options;
    const held = new Set([...this.#held.values()].flatMap((folders) => [...folders]));
    const paths = (await readdir(folder)).filter(isContent).map((name) => join(folder, name));
    const idle = paths.filter((path) => !held.has(path));
    const used = await Promise.all(idle.map(async (path) => ({ path, usedAtMs: (await stat(path)).mtimeMs })));
    for (const { path } of used.toSorted((a, b) => b.usedAtMs - a.usedAtMs).slice(most)) {
      if (![...this.#held.values()].some((folders) => folders.has(path))) await this.#remove(path);
    }
  }

  /** Under another name first, so that nobody finds half of it. */
  async #remove(path: string): Promise<void> {
    const gone = join(this.#options.folder, `old-${this.#options.random.hex(8)}`);
    await rename(path, gone);
    await rm(gone, { recursive: true, force: true });
  }

  async #fetch(
    name: string,
    source: { url: string; sha256: string | null },
    { signal, task }: { signal: AbortSignal; task: string },
  ): Promise<string> {
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
      this.#hold(task, target);
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

/** Folders are named after the SHA-256 of what is in them; others are on their way. */
const isContent = (name: string) => /^[0-9a-f]{64}$/.test(name);

async function isFolder(path: string): Promise<boolean> {
  return (await findStats(path))?.isDirectory() ?? false;
}
