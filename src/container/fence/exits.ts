import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { readTextIfExists } from '../../platform/files.ts';
import type { Exit } from '../container.ts';
import type { Cgroups } from './cgroups.ts';
import type { Layout, Names } from './naming.ts';

/** Tells the handle whose container ended, from the files conmon leaves. */
export function watchExits(layout: Layout, onExit: (id: string) => void): FSWatcher {
  return watch(layout.exits, (_event, name) => {
    // conmon writes beside it and renames; the unfinished file has a longer name.
    if (name && !name.includes('.')) onExit(name);
  });
}

/** How a container ended, or undefined when conmon has not said so. */
export async function readExit(
  id: string,
  from: { layout: Layout; names: Names; cgroups: Cgroups },
): Promise<Exit | undefined> {
  const text = await readTextIfExists(from.layout.exit(id));
  if (!text) return undefined;
  const code = Number(text.trim());
  const kills = await from.cgroups.oomKills(from.names.cgroup(id));
  const { mtimeMs } = await stat(from.layout.exit(id));
  return {
    code: Number.isInteger(code) ? code : -1,
    // A kill that the main process survived to end well is not why it ended.
    outOfMemory: code !== 0 && kills > 0,
    atMs: Math.floor(mtimeMs),
  };
}
