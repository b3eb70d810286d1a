import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readTextIfExists } from './files.ts';
import type { SystemUser } from './system-user.ts';

/** Who a file belongs to and what they may do with it. */
export type Ownership = { readonly owner: Pick<SystemUser, 'uid' | 'gid'>; readonly mode: number };

/** Writes a file whole or not at all; nobody but its owner ever sees it with other rights. Gives false when it was so already. */
export async function writeOwnedFile(path: string, content: string, { owner, mode }: Ownership): Promise<boolean> {
  if ((await readTextIfExists(path)) === content) {
    await chown(path, owner.uid, owner.gid);
    await chmod(path, mode);
    return false;
  }
  // Two processes may write the same file at once, each the whole of it.
  const temporary = `${path}.${process.pid}.new`;
  await rm(temporary, { force: true });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, content, { mode: 0o600, flush: true });
  await chown(temporary, owner.uid, owner.gid);
  await chmod(temporary, mode);
  await rename(temporary, path);
  return true;
}

/** Makes a folder, or gives an existing one this owner and mode; what is in it stays as it is. */
export async function ensureOwnedFolder(path: string, { owner, mode }: Ownership): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, owner.uid, owner.gid);
  await chmod(path, mode);
}
