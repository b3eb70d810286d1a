import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, readTextIfExists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';

/** Has this step's mark been left? */
export async function hasMark(paths: Paths, name: string): Promise<boolean> {
  try {
    await stat(join(paths.setup, name));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Leaves a mark that a step is finished. */
export async function leaveMark(paths: Paths, name: string, content = ''): Promise<void> {
  await writeOwnedFile(join(paths.setup, name), content, { owner: { uid: 0, gid: 0 }, mode: 0o600 });
}

/** The step has something to do again. */
export async function removeMark(paths: Paths, name: string): Promise<void> {
  await rm(join(paths.setup, name), { force: true });
}

/** The node was a micro cloud and is the first of a cluster now, or the reverse: what runs still speaks as before. */
export const OTHER_KIND = 'other-kind';

const UNFINISHED = 'unfinished';

/** Notes that set-up began; `command` finishes it. */
export async function beginSetUp(paths: Paths, command: string): Promise<void> {
  await leaveMark(paths, UNFINISHED, command);
}

export async function endSetUp(paths: Paths): Promise<void> {
  await removeMark(paths, UNFINISHED);
}

/** The command that finishes a set-up which was interrupted. */
export async function findUnfinishedSetUp(paths: Paths): Promise<string | undefined> {
  return readTextIfExists(join(paths.setup, UNFINISHED));
}
