import { chmod, mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { type ExecError, exec } from '../../platform/exec.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { exists, isMissing } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import { ContainerError } from '../container.ts';
import { btrfs, parseUsage } from './btrfs-commands.ts';
import { failure } from './failure.ts';
import type { Layout } from './naming.ts';
import { StoreImage } from './store-image.ts';

const BTRFS_MAGIC = 0x9123683e;
const LOOK_MS = 500;
const USAGE_AGE_MS = 1000;

/** The btrfs file system of an engine: subvolumes with limits. */
export interface Store {
  snapshot(from: string, to: string): Promise<void>;
  createSubvolume(path: string): Promise<void>;
  protect(path: string): Promise<void>;
  limit(path: string, bytes: number): Promise<void>;
  /** Paths that don't exist are left out. */
  remove(paths: readonly string[]): Promise<void>;
  /** Bytes written by the subvolume itself; at most a second old, and no older than `sinceMs`. */
  usageOf(path: string, sinceMs?: number): Promise<number>;
  /** With what it may still grow by. */
  space(): Promise<{ freeBytes: number; totalBytes: number }>;
  /** Grows until this much is free, as far as the disk has room. */
  ensureFree(bytes: number): Promise<void>;
  /** Grows ahead of what containers write; to be called again and again. */
  keepAhead(): Promise<void>;
}

/** Mounts the store if it is not, makes it if there is none; safe when several processes do so at once. */
export async function openStore(layout: Layout, options: { storeMb: number; log: Log; clock: Clock }): Promise<Store> {
  const image = new StoreImage(layout, options);
  await mkdir(layout.directory, { recursive: true });
  await chmod(layout.directory, 0o711);
  await checkReachable(layout.directory);
  await withFileLock(layout.storeLock, async () => {
    await mkdir(layout.store, { recursive: true });
    if (!(await isBtrfs(layout.store)) && !(await isBtrfs(layout.directory))) await image.mount();
    await enableQuota(layout, options.log);
    for (const folder of [layout.stacks, layout.subvolumes, layout.images, layout.roots, layout.making]) {
      await mkdir(folder, { recursive: true });
    }
    await chmod(layout.store, 0o711);
  });
  return storeAt(layout, image, options.clock);
}

function storeAt(layout: Layout, image: StoreImage, clock: Clock): Store {
  let usage: { atMs: number; bytes: Promise<Map<string, number>> } | undefined;
  const readUsage = async () => parseUsage((await exec(btrfs.usage(layout.store))).stdout);
  const run = async (what: string, argv: readonly string[]) => {
    try {
      await exec(argv);
    } catch (error) {
      throw failure(what, error);
    }
  };
  return {
    snapshot: (from, to) => run('the root file system could not be copied', btrfs.snapshot(from, to)),
    createSubvolume: (path) => run('no subvolume could be made', btrfs.createSubvolume(path)),
    protect: (path) => run('the stack could not be made read-only', btrfs.setReadOnly(path, true)),
    limit: (path, bytes) => run('the disk limit could not be set', btrfs.limit(bytes, path)),
    async remove(paths) {
      const existing = (await Promise.all(paths.map(async (p) => ((await exists(p)) ? [p] : [])))).flat();
      if (existing.length > 0) await run('a subvolume could not be removed', btrfs.deleteSubvolumes(existing));
    },
    async usageOf(path, sinceMs = 0) {
      const oldestMs = Math.max(sinceMs, clock.nowMs() - USAGE_AGE_MS);
      if (!usage || usage.atMs < oldestMs) usage = { atMs: clock.nowMs(), bytes: readUsage() };
      const inside = path.slice(layout.store.length + 1);
      const find = (bytes: ReadonlyMap<string, number>) =>
        bytes.get(inside) ?? [...bytes].find(([known]) => known.endsWith(`/${inside}`))?.[1];
      const found = find(await usage.bytes);
      if (found !== undefined) return found;
      // It may be younger than what was read.
      usage = { atMs: clock.nowMs(), bytes: readUsage() };
      return find(await usage.bytes) ?? 0;
    },
    async space() {
      const [inside, growable] = await Promise.all([statfs(layout.store), image.growable()]);
      return {
        freeBytes: inside.bavail * inside.bsize + growable,
        totalBytes: inside.blocks * inside.bsize + growable,
      };
    },
    ensureFree: (bytes) => image.ensureFree(bytes),
    keepAhead: () => image.keepAhead(),
  };
}

/** Keeps room in the store for what containers write, until disposed. */
export function keepRoom(store: Store, { clock, log }: { clock: Clock; log: Log }): Disposable {
  return clock.every(LOOK_MS, async () => {
    try {
      await store.keepAhead();
    } catch (error) {
      log.error('fail-to-grow-fence-store', { err: error });
    }
  });
}

async function enableQuota(layout: Layout, log: Log): Promise<void> {
  const { code } = await exec(btrfs.usage(layout.store), { okCodes: [0, 1] });
  if (code === 0) return;
  try {
    await exec(btrfs.enableSimpleQuota(layout.store));
  } catch (error) {
    log.info('use-full-quotas', { because: (error as ExecError).message });
    await exec(btrfs.enableQuota(layout.store));
  }
}

/** Containers' own users walk down to their root, so everybody must be able to pass. */
async function checkReachable(directory: string): Promise<void> {
  for (let path = dirname(directory); path !== '/'; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) !== 0) continue;
    throw new ContainerError(
      'failed',
      `containers can't pass ${path} on the way to their files; run chmod o+x ${path}`,
    );
  }
}

/** Is another file system mounted at this folder? */
export async function isMountPoint(path: string): Promise<boolean> {
  return (await exists(path)) && (await stat(path)).dev !== (await stat(dirname(path))).dev;
}

async function isBtrfs(path: string): Promise<boolean> {
  return (await statfs(path)).type === BTRFS_MAGIC;
}

/** The names in a folder; none when there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
