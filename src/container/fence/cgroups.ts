import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, isMissing, readTextIfExists } from '../../platform/files.ts';
import type { ContainerStats, Limits } from '../container.ts';
import { cpuShares } from './oci-spec.ts';
import { namesIn } from './store.ts';

const MOUNT = '/sys/fs/cgroup';

export type CgroupUsage = Omit<ContainerStats, 'diskBytes'>;

/** The kernel's accounting of containers, on hosts of either version. Paths begin with a slash. */
export interface Cgroups {
  readonly version: 1 | 2;
  readonly hasSwapLimit: boolean;
  /** Undefined once it is gone. */
  usage(path: string): Promise<CgroupUsage | undefined>;
  /** Limits a group that was made without, before anything runs in it. */
  limit(path: string, limits: Limits): Promise<void>;
  /** How often the kernel killed a process there for want of memory. */
  oomKills(path: string): Promise<number>;
  pids(path: string): Promise<number[]>;
  /** Names of the groups below a path. */
  children(path: string): Promise<string[]>;
  /** Removes an empty group; false while processes are still leaving it. */
  remove(path: string): Promise<boolean>;
}

/** Those of this host; `mount` is where they are mounted. */
export async function findCgroups(mount = MOUNT): Promise<Cgroups> {
  return (await exists(join(mount, 'cgroup.controllers'))) ? unified(mount) : await separate(mount);
}

/** Version 2: one tree. */
function unified(mount: string): Cgroups {
  const at = (path: string, file = '') => join(mount, path, file);
  return {
    version: 2,
    hasSwapLimit: true,
    async usage(path) {
      const [cpu, memory, stat, kills, pids, refused] = await readAll(
        ['cpu.stat', 'memory.current', 'memory.stat', 'memory.events', 'pids.current', 'pids.events'].map((file) =>
          at(path, file),
        ),
      );
      if (cpu === undefined) return undefined;
      const cached = field(stat, 'inactive_file');
      const memoryBytes = Math.max(0, Number(memory ?? 0) - cached);
      return {
        cpuNs: field(cpu, 'usage_usec') * 1000,
        memoryBytes,
        pids: Number(pids ?? 0),
        memoryKills: field(kills, 'oom_kill'),
        refusedForks: field(refused, 'max'),
      };
    },
    limit: (path, limits) =>
      writeAll([
        [at(path, 'memory.max'), bytesOf(limits)],
        [at(path, 'memory.swap.max'), 0],
        [at(path, 'pids.max'), limits.pids],
        [at(path, 'cpu.weight'), cpuWeight(limits)],
      ]),
    oomKills: async (path) => field(await readTextIfExists(at(path, 'memory.events')), 'oom_kill'),
    pids: async (path) => numbers(await readTextIfExists(at(path, 'cgroup.procs'))),
    children: (path) => folders(at(path)),
    remove: (path) => removeTree(at(path)),
  };
}

/** Version 1, and hybrid hosts, whose version 2 tree has no controllers: one tree per controller. */
async function separate(mount: string): Promise<Cgroups> {
  // The one of version 2 counts nothing here, but the runtime makes its groups there too.
  const trees = await folders(mount);
  const at = (tree: string, path: string, file = '') => join(mount, tree, path, file);
  const hasSwapLimit = await exists(at('memory', '', 'memory.memsw.limit_in_bytes'));
  return {
    version: 1,
    hasSwapLimit,
    async usage(path) {
      const [cpu, memory, stat, kills, pids, refused] = await readAll([
        at('cpuacct', path, 'cpuacct.usage'),
        at('memory', path, 'memory.usage_in_bytes'),
        at('memory', path, 'memory.stat'),
        at('memory', path, 'memory.oom_control'),
        at('pids', path, 'pids.current'),
        at('pids', path, 'pids.events'),
      ]);
      if (cpu === undefined) return undefined;
      const memoryBytes = Math.max(0, Number(memory ?? 0) - field(stat, 'total_inactive_file'));
      return {
        cpuNs: Number(cpu),
        memoryBytes,
        pids: Number(pids ?? 0),
        memoryKills: field(kills, 'oom_kill'),
        refusedForks: field(refused, 'max'),
      };
    },
    limit: (path, limits) =>
      writeAll([
        // That with swap can't be less than that without, so it comes after it.
        [at('memory', path, 'memory.limit_in_bytes'), bytesOf(limits)],
        ...(hasSwapLimit ? [[at('memory', path, 'memory.memsw.limit_in_bytes'), bytesOf(limits)] as const] : []),
        [at('pids', path, 'pids.max'), limits.pids],
        [at('cpu', path, 'cpu.shares'), cpuShares(limits)],
      ]),
    oomKills: async (path) => field(await readTextIfExists(at('memory', path, 'memory.oom_control')), 'oom_kill'),
    pids: async (path) => numbers(await readTextIfExists(at('pids', path, 'cgroup.procs'))),
    children: async (path) => [...new Set((await Promise.all(trees.map((tree) => folders(at(tree, path))))).flat())],
    remove: async (path) => {
      const removed = await Promise.all(trees.map((tree) => removeTree(at(tree, path))));
      return removed.every(Boolean);
    },
  };
}

async function writeAll(files: readonly (readonly [path: string, value: number])[]): Promise<void> {
  for (const [path, value] of files) await writeFile(path, String(value));
}

const bytesOf = ({ memoryMb }: Limits) => memoryMb * 1024 * 1024;

/** The same proportion as `cpuShares`, in the kernel's second measure. */
const cpuWeight = (limits: Limits) => 1 + Math.floor(((cpuShares(limits) - 2) * 9999) / 262_142);

function readAll(paths: readonly string[]): Promise<(string | undefined)[]> {
  return Promise.all(paths.map((path) => readTextIfGone(path)));
}

/** A group can go away between its opening and its reading, which answers ENODEV. */
async function readTextIfGone(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ENODEV')) return undefined;
    throw error;
  }
}

async function removeTree(path: string): Promise<boolean> {
  for (const child of await folders(path)) await removeTree(join(path, child));
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    if (error instanceof Error && 'code' in error && error.code === 'EBUSY') return false;
    throw error;
  }
}

async function folders(path: string): Promise<string[]> {
  if ((await namesIn(path)).length === 0) return [];
  return (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function field(text: string | undefined, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? 0);
}

function numbers(text: string | undefined): number[] {
  return (text ?? '').split('\n').filter(Boolean).map(Number);
}
