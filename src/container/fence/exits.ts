import { type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { isMissing } from '../../platform/files.ts';
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
  const said = await readTold(from.layout.exit(id));
  if (!said?.text) return undefined;
  const code = Number(said.text.trim());
  const kills = await from.cgroups.oomKills(from.names.cgroup(id));
  return {
    code: Number.isInteger(code) ? code : -1,
    // A kill that the main process survived to end well is not why it ended.
    outOfMemory: code !== 0 && kills > 0,
    atMs: Math.floor(said.mtimeMs),
  };
}

/** Text and time belong together: the file may be removed in between by who destroys the container. */
async function readTold(path: string): Promise<{ text: string; mtimeMs: number } | undefined> {
  try {
    await using file = await open(path);
    return { text: await file.readFile('utf8'), mtimeMs: (await file.stat()).mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
