import { readdir, readFile, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { growableBytes, grownSize, headroomBytes, type StoreSpace } from '../../core/store-growth.ts';
import { type ExecError, exec } from '../../platform/exec.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { exists, isMissing, readTextIfExists } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import { ContainerError } from '../container.ts';
import { btrfs } from './btrfs-commands.ts';
import type { Layout } from './naming.ts';

const MB = 1024 * 1024;
const LARGEST_AUTOMATIC_MB = 100_000;
const SMALLEST_MB = 512;
const FIRST_MB = 1024;
const FILE_SYSTEMS = '/sys/fs/btrfs';

/**
 * The file that holds a store's file system. Every block of it is taken from the disk before the file system may use
 * it, so that a disk filled by something else never fails a write of the store, which would end it for good; the file
 * grows by what is needed while the disk has room.
 */
export class StoreImage {
  readonly #layout: Layout;
  readonly #largestMb: number;
  readonly #log: Log;
  #writtenBytes: number | undefined;

  /** @param options.storeMb largest size; 0 = 60 % of what the disk has for it, at most 100 GB */
  constructor(layout: Layout, options: { storeMb: number; log: Log }) {
    this.#layout = layout;
    this.#largestMb = options.storeMb;
    this.#log = options.log;
  }

  /** Makes the file if there is none, and mounts it. Call it with the store's lock. */
  async mount(): Promise<void> {
    const path = this.#layout.storeImage;
    if ((await sizeOf(path)) === undefined) {
      const largestBytes = await this.#largestBytes(0);
      if (largestBytes < SMALLEST_MB * MB && this.#largestMb === 0)
        throw tooSmall(this.#layout.directory, largestBytes);
      const unfinished = `${path}.unfinished`;
      await rm(unfinished, { force: true });
      await writeFile(unfinished, '', { mode: 0o600 });
      await this.#allocate(unfinished, Math.min(largestBytes, FIRST_MB * MB));
      await exec(btrfs.format(unfinished));
      await rename(unfinished, path);
    }
    await exec(btrfs.mountImage(path, this.#layout.store));
  }

  /** Grows the file, as far as there is room, until this much is free inside. Bytes. */
  async ensureFree(wantedBytes: number): Promise<void> {
    if (!(await this.#nextSize(wantedBytes))) return;
    await withFileLock(this.#layout.storeLock, async () => {
      const size = await this.#nextSize(wantedBytes);
      if (!size) return;
      this.#log.info('grow-fence-store', { path: this.#layout.storeImage, sizeMb: size / MB });
      await this.#allocate(this.#layout.storeImage, size);
      await exec(btrfs.tellLoopSize(await deviceOf(this.#layout.store)));
      await exec(btrfs.resizeToDevice(this.#layout.store));
    });
  }

  /** Grows the file ahead of what is written to it; call it again and again. */
  async keepAhead(): Promise<void> {
    const space = await this.#measure();
    if (!space) return;
    const writtenBytes = space.imageBytes - space.freeInsideBytes;
    const sinceBytes = writtenBytes - (this.#writtenBytes ?? writtenBytes);
    this.#writtenBytes = writtenBytes;
    await this.ensureFree(headroomBytes(sinceBytes));
  }

  /** How much larger it may become; 0 when the store has no file of its own. Bytes. */
  async growable(): Promise<number> {
    const space = await this.#measure();
    return space ? growableBytes(space) : 0;
  }

  async #nextSize(wantedBytes: number): Promise<number | undefined> {
    const space = await this.#measure();
    return space && grownSize(space, wantedBytes);
  }

  async #measure(): Promise<StoreSpace | undefined> {
    const { store, storeImage } = this.#layout;
    const imageBytes = await sizeOf(storeImage);
    if (imageBytes === undefined) return undefined;
    // The image may lie on another disk than its folder.
    const [inside, outside] = await Promise.all([statfs(store), statfs(storeImage)]);
    return {
      imageBytes,
      largestBytes: await this.#largestBytes(imageBytes),
      freeInsideBytes: inside.bavail * inside.bsize - (await unplacedBytes(store)),
      freeOutsideBytes: outside.bavail * outside.bsize,
    };
  }

  async #largestBytes(imageBytes: number): Promise<number> {
    if (this.#largestMb > 0) return this.#largestMb * MB;
    const { bavail, bsize } = await statfs(imageBytes > 0 ? this.#layout.storeImage : this.#layout.directory);
    return Math.min(LARGEST_AUTOMATIC_MB * MB, (bavail * bsize + imageBytes) * 0.6);
  }

  async #allocate(path: string, bytes: number): Promise<void> {
    const size = Math.floor(bytes / MB) * MB;
    try {
      await exec(['fallocate', '--length', String(size), path]);
    } catch (error) {
      if (!/not supported/i.test((error as ExecError).message)) throw error;
      this.#log.warn('store-may-outgrow-disk', { path, because: 'its file system can not reserve space' });
      await truncate(path, size);
    }
  }
}

function tooSmall(directory: string, bytes: number): ContainerError {
  const sizeMb = Math.floor(bytes / MB);
  return new ContainerError(
    'disk-full',
    `${directory} has room for ${sizeMb} MB of containers, at least ${SMALLEST_MB} MB are needed; free some space`,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What was written and has no place in the file system yet, which `statfs` counts as free. Bytes. */
async function unplacedBytes(mountPoint: string): Promise<number> {
  const device = await findDevice(mountPoint);
  if (device === undefined) return 0;
  for (const id of await readdir(FILE_SYSTEMS)) {
    if (!(await exists(join(FILE_SYSTEMS, id, 'devices', basename(device))))) continue;
    const counted = await readTextIfExists(join(FILE_SYSTEMS, id, 'allocation', 'data', 'bytes_may_use'));
    return Number(counted ?? 0);
  }
  return 0;
}

async function deviceOf(mountPoint: string): Promise<string> {
  const device = await findDevice(mountPoint);
  if (device === undefined) throw new ContainerError('failed', `nothing is mounted at ${mountPoint}`);
  return device;
}

async function findDevice(mountPoint: string): Promise<string | undefined> {
  for (const line of (await readFile('/proc/self/mounts', 'utf8')).split('\n')) {
    const [device = '', target] = line.split(' ');
    if (target === mountPoint) return device;
  }
  return undefined;
}
