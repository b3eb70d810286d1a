import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { readTextIfExists } from '../../platform/files.ts';

/** @throws Error naming the port and, when it can be found, the process that has it */
export async function requireFreePort(port: number, address?: string): Promise<void> {
  const server = createServer();
  server.listen({ port, ...(address === undefined ? {} : { host: address }) });
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') {
      throw new Error(`port ${port} may only be opened by root; run as root or set another port`, { cause: error });
    }
    if (code !== 'EADDRINUSE') throw error;
    const owner = (await portOwner(port)) ?? 'a process that cannot be seen from here';
    throw new Error(`port ${port} is already in use by ${owner}; stop it or set another port`, {
      cause: error,
    });
  }
  server.close();
  await once(server, 'close');
}

/** The process that listens on a TCP port, as `name (pid n)`. */
export async function portOwner(port: number): Promise<string | undefined> {
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of ((await readTextIfExists(file)) ?? '').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === '0A' && Number.parseInt(local.split(':')[1] ?? '', 16) === port) inodes.add(`socket:[${inode}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (await holds(pid, inodes)) return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (pid ${pid})`;
  }
  return undefined;
}

async function holds(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  try {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if (sockets.has(await readlink(`/proc/${pid}/fd/${fd}`))) return true;
    }
  } catch (error) {
    // Processes end, close files and hide from us while we look.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'ESRCH') throw error;
  }
  return false;
}
