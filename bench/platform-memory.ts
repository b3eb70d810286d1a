import { readFile } from 'node:fs/promises';
import { isMissing } from '../src/platform/files.ts';

/**
 * Resident memory that these processes cost, bytes: their shares (PSS) of what is not a file, and each page of a file
 * once, also when a process that is not theirs (this one runs the same Node) has it mapped too.
 */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  const files = new Map<string, number>();
  let own = 0;
  for (const pid of pids) {
    const inProcess = new Map<string, number>();
    for (const { inode, rss, pss, anonymous } of await mappings(pid)) {
      if (inode === '0') own += pss;
      else {
        own += anonymous;
        inProcess.set(inode, (inProcess.get(inode) ?? 0) + rss - anonymous);
      }
    }
    for (const [inode, rss] of inProcess) files.set(inode, Math.max(files.get(inode) ?? 0, rss));
  }
  return (own + [...files.values()].reduce((sum, rss) => sum + rss, 0)) * 1024;
}

type Mapping = { readonly inode: string; rss: number; pss: number; anonymous: number };

/** kB each. None for a process that has ended. */
async function mappings(pid: number): Promise<Mapping[]> {
  const all: Mapping[] = [];
  for (const line of (await smaps(pid)).split('\n')) {
    const start = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ (\S+) (\d+)/.exec(line);
    const [, key, kb] = /^(Rss|Pss|Anonymous):\s+(\d+) kB/.exec(line) ?? [];
    if (start) all.push({ inode: start[2] === '0' ? '0' : `${start[1]} ${start[2]}`, rss: 0, pss: 0, anonymous: 0 });
    const last = all.at(-1);
    if (last === undefined || key === undefined) continue;
    if (key === 'Rss') last.rss = Number(kb);
    else if (key === 'Pss') last.pss = Number(kb);
    else last.anonymous = Number(kb);
  }
  return all;
}

async function smaps(pid: number): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/smaps`, 'latin1');
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return '';
    throw error;
  }
}
