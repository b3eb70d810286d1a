import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { isMissing } from '../platform/files.ts';

/** Opens a file that foreign code wrote into a folder of ours. @throws Error when it is a link or no plain file */
export async function openForeign(path: string) {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Error(`${path} is not a plain file`);
}

/** What is at a path, links not followed; undefined when nothing is. */
export async function findStats(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
