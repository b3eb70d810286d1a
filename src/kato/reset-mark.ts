import { join } from 'node:path';
import { readTextIfExists } from '../platform/files.ts';
import type { Paths } from '../platform/paths.ts';
import { Refusal } from './refusal.ts';

/** It is there from the first file that a wipe removes until the last. */
export function resetMark(paths: Pick<Paths, 'state'>): string {
  return join(paths.state, 'reset.pending');
}

/** Was a wipe of this machine begun and not finished? */
export async function isResetPending(paths: Pick<Paths, 'state'>): Promise<boolean> {
  return (await readTextIfExists(resetMark(paths))) !== undefined;
}

/** Refuses to work on half of a node. */
export async function refuseWhileReset(paths: Pick<Paths, 'state'>): Promise<void> {
  if (!(await isResetPending(paths))) return;
  throw new Refusal('a reset of this machine was cut short', 'finish it: kato node reset factory --yes');
}
