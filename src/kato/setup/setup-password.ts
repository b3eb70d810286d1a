import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonIfExists } from '../../platform/files.ts';
import type { Paths } from '../../platform/paths.ts';
import { putSetupPassword } from '../api-client.ts';
import type { Node } from '../node.ts';
import { hasMark, leaveMark } from './marks.ts';
import { newPassword } from './new-password.ts';

const FILE = 'setup-password.json';
const MARK = 'setup-password.done';

type Kept = { readonly password: string; readonly wasGenerated: boolean };

/** Makes the password that the first administrator is made with; kept here until it was shown. */
export async function makeSetupPassword(node: Node, given: string | undefined): Promise<'done' | 'already'> {
  if (await hasMark(node.paths, MARK)) return 'already';
  const kept = given === undefined ? await findSetupPassword(node.paths) : { password: given, wasGenerated: false };
  const { password, wasGenerated } = kept ?? { password: newPassword(), wasGenerated: true };
  await leaveMark(node.paths, FILE, `${JSON.stringify({ password, wasGenerated })}\n`);
  return (await putSetupPassword(node, password)) === 'made' ? 'done' : 'already';
}

/** The set-up password, while it was not shown. */
export async function findSetupPassword(paths: Paths): Promise<Kept | undefined> {
  return (await readJsonIfExists(join(paths.setup, FILE))) as Kept | undefined;
}

/** It was shown: nobody needs it here any more. */
export async function forgetSetupPassword(paths: Paths): Promise<void> {
  await leaveMark(paths, MARK);
  await rm(join(paths.setup, FILE), { force: true });
}
