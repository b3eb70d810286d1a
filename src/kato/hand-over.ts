import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../platform/exec.ts';
import { isMissing } from '../platform/files.ts';
import type { Paths } from '../platform/paths.ts';
import { getUser } from '../platform/system-user.ts';

const TIMEOUT_MS = 600_000;

/** What root left, while it ran them, in the folders of processes that have an account of their own now. */
export async function listLeftByRoot(paths: Paths): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [paths.blobs, paths.logyard, paths.scratch, paths.nats]) {
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      if ((await lstat(path)).uid === 0) found.push(path);
    }
  }
  return found;
}

/** Gives these to the platform's account. A folder comes after what is in it, so that an interruption leaves it to be found. */
export async function handOver(paths: readonly string[]): Promise<void> {
  const { uid, gid } = await getUser('stackato');
  await exec(['chown', '--recursive', '--no-dereference', '--from=0', `${uid}:${gid}`, '--', ...paths], {
    timeoutMs: TIMEOUT_MS,
  });
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
