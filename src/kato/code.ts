import { mkdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ExecError, exec } from '../platform/exec.ts';
import { isMissing } from '../platform/files.ts';
import { ensureOwnedFolder } from '../platform/owned-files.ts';
import { type Paths, sourceRoot } from '../platform/paths.ts';
import { canExecute, canRead, findUser, getUser, type SystemUser } from '../platform/system-user.ts';
import { Refusal } from './refusal.ts';

const TIMEOUT_MS = 10_000;

/** What a process of the platform is run from: Node and the entry file below one folder. */
export type Code = { readonly node: string; readonly entry: string };

/** The code where this command runs from. */
export const ownCode: Code = codeBelow(sourceRoot);

/**
 * The code as the platform's own account reaches it: in place, or through the mount when the checkout lies below a folder
 * closed to others (such as /root). Undefined when it reaches neither, or not the state folder.
 */
export async function findOpenCode(paths: Paths): Promise<Code | undefined> {
  const user = await findUser('stackato');
  if (user === undefined || !(await isStateOpen(paths))) return undefined;
  for (const code of [ownCode, codeBelow(mountOf(paths))]) if (await isOpen(user, code)) return code;
  return undefined;
}

/** Can the platform's own account reach the state folder? */
export async function isStateOpen(paths: Paths): Promise<boolean> {
  const user = await findUser('stackato');
  return user !== undefined && (await canExecute(user, paths.state));
}

/**
 * Shows the checkout, read only, to the platform's own account where it can't reach it in place. A bind mount and no copy:
 * a changed checkout is what the next start runs, as it is in place.
 */
export async function openCode(paths: Paths): Promise<void> {
  const user = await getUser('stackato');
  if (await isOpen(user, ownCode)) return closeCode(paths);
  const mount = mountOf(paths);
  if (await isSameFolder(mount, sourceRoot)) return;
  await closeCode(paths);
  await ensureOwnedFolder(folderOf(paths), { owner: { uid: 0, gid: user.gid }, mode: 0o750 });
  await mkdir(mount, { recursive: true });
  try {
    await exec(['mount', '--bind', '-o', 'ro,nosuid,nodev', sourceRoot, mount], { timeoutMs: TIMEOUT_MS });
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    throw new Refusal(
      `the account stackato can't read ${sourceRoot}, and it can't be mounted where it could: ${cause.message}`,
      'put the checkout where all may read it, for example below /opt',
      { cause },
    );
  }
}

/** Takes the mount away; processes that run from it go on. */
export async function closeCode(paths: Paths): Promise<void> {
  const mount = mountOf(paths);
  while (await isMountPoint(mount)) await exec(['umount', '--lazy', mount], { timeoutMs: TIMEOUT_MS });
}

function codeBelow(root: string): Code {
  const node = relative(sourceRoot, process.execPath);
  return {
    node: node.startsWith('..') ? process.execPath : join(root, node),
    entry: join(root, 'src', 'main.ts'),
  };
}

function folderOf(paths: Paths): string {
  return join(paths.run, 'code');
}

function mountOf(paths: Paths): string {
  return join(folderOf(paths), 'checkout');
}

async function isOpen(user: SystemUser, { node, entry }: Code): Promise<boolean> {
  return (await canExecute(user, node)) && (await canRead(user, entry));
}

async function isSameFolder(one: string, other: string): Promise<boolean> {
  const [a, b] = [await look(one), await look(other)];
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** A bind mount has the device of what it shows, so only the kernel's table tells. */
async function isMountPoint(path: string): Promise<boolean> {
  const { code } = await exec(['mountpoint', '--quiet', path], { okCodes: [0, 1, 32], timeoutMs: TIMEOUT_MS });
  return code === 0;
}

async function look(path: string): Promise<{ dev: number; ino: number } | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return { dev, ino };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
