import { readdir, readlink } from 'node:fs/promises';
import { readTextIfExists } from '../../platform/files.ts';

/** Is this a live nginx? A zombie is not, nor is another process that got the number. */
export async function isNginx(pid: number): Promise<boolean> {
  const status = await readProc(`/proc/${pid}/stat`);
  const match = status && /^\d+ \((.*)\) (\w)/.exec(status);
  return Boolean(match && match[1] === 'nginx' && match[2] !== 'Z' && match[2] !== 'X');
}

/** Of these processes, those that are a live nginx. */
export async function listNginx(pids: readonly number[]): Promise<number[]> {
  const states = await Promise.all(pids.map(isNginx));
  return pids.filter((_pid, i) => states[i]);
}

/** Every nginx, master or worker, that has this control socket open: also workers whose master was killed. */
export async function listHolders(socketPath: string): Promise<number[]> {
  const table = (await readTextIfExists('/proc/net/unix')) ?? '';
  const inodes = new Set(
    table.split('\n').flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      return fields.at(-1) === socketPath ? [`socket:[${fields[6]}]`] : [];
    }),
  );
  if (inodes.size === 0) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await listNginx(pids);
  const holds = await Promise.all(found.map((pid) => isOpenIn(pid, inodes)));
  return found.filter((_pid, i) => holds[i]);
}

async function isOpenIn(pid: number, sockets: ReadonlySet<string>): Promise<boolean> {
  try {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if (sockets.has(await readlink(`/proc/${pid}/fd/${fd}`))) return true;
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return false;
}

/** Sends a signal to those of the processes that are still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readTextIfExists(path);
  } catch (error) {
    // The process ended between open and read.
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
