import { readFile } from 'node:fs/promises';
import { exec } from './exec.ts';

/** An account of the machine. */
export type SystemUser = { readonly name: string; readonly uid: number; readonly gid: number };

/** An account by its name, or undefined. */
export async function findUser(name: string): Promise<SystemUser | undefined> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

/**
 * An account by its name.
 *
 * @throws Error when the machine has none of that name
 */
export async function getUser(name: string): Promise<SystemUser> {
  const user = await findUser(name);
  if (user === undefined) throw new Error(`this machine has no account '${name}'; run \`kato node setup micro\` again`);
  return user;
}

/** Makes a system account that nobody can log in to, unless it is there. */
export async function ensureUser(name: string): Promise<SystemUser> {
  const existing = await findUser(name);
  if (existing !== undefined) return existing;
  await exec([
    ...['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'],
    ...['--shell', '/usr/sbin/nologin', name],
  ]);
  return getUser(name);
}

/** May this account run this file? Folders on the way that it may not enter count as no. */
export async function canExecute(user: SystemUser, path: string): Promise<boolean> {
  const { code } = await exec(['/usr/bin/test', '-x', path], { uid: user.uid, gid: user.gid, okCodes: [0, 1] });
  return code === 0;
}

/** May this account write this file, or make files in this folder? */
export async function canWrite(user: SystemUser, path: string): Promise<boolean> {
  const { code } = await exec(['/usr/bin/test', '-w', path], { uid: user.uid, gid: user.gid, okCodes: [0, 1] });
  return code === 0;
}

/** May this account read this file? */
export async function canRead(user: SystemUser, path: string): Promise<boolean> {
  const { code } = await exec(['/usr/bin/test', '-r', path], { uid: user.uid, gid: user.gid, okCodes: [0, 1] });
  return code === 0;
}
