import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { isMissing, readTextIfExists } from '../../platform/files.ts';
import { ContainerError } from '../container.ts';
import type { Cgroups } from './cgroups.ts';
import type { Layout, Names } from './naming.ts';
import { startTicksOf } from './record.ts';
import { namesIn } from './store.ts';

const END_TRIES = 500;
const END_PAUSE_MS = 10;

/** The conmon processes of a pool by the id of their container, those too that were never written down. */
export async function findMonitors(layout: Layout): Promise<Map<string, number>> {
  const monitors = new Map<string, number>();
  for (const pid of (await namesIn('/proc')).map(Number).filter((number) => number > 1)) {
    const folder = await monitoredBy(pid);
    if (folder !== undefined && dirname(folder) === layout.containers) monitors.set(basename(folder), pid);
  }
  return monitors;
}

/** Is this process the conmon of the container with that folder, and not another one with its number? */
export async function isMonitor(pid: number, folder: string): Promise<boolean> {
  return (await monitoredBy(pid)) === folder;
}

/** Kills a conmon with what it started and did not hand over yet. */
export async function endMonitor(pid: number, clock: Clock): Promise<void> {
  const started = (await readOfProcess(`/proc/${pid}/task/${pid}/children`)).split(' ').map(Number);
  // Should it be at work with the runtime, that must not go on alone.
  for (const each of [pid, ...started.filter((child) => child > 1)]) sendSignal(each, 'SIGKILL');
  for (let tried = 0; (await startTicksOf(pid)) !== undefined; tried++) {
    if (tried === END_TRIES) throw new ContainerError('failed', `process ${pid}, a conmon, does not end`);
    await clock.sleep(END_PAUSE_MS);
  }
}

/** Removes a control group with every process in it. */
export async function removeCgroup(
  path: string,
  { cgroups, clock }: { cgroups: Cgroups; clock: Clock },
): Promise<void> {
  for (let tried = 0; tried < END_TRIES; tried++) {
    if (await cgroups.remove(path)) return;
    for (const pid of await pidsBelow(cgroups, path)) sendSignal(pid, 'SIGKILL');
    await clock.sleep(END_PAUSE_MS);
  }
  throw new ContainerError('failed', `processes do not leave the control group ${path}`);
}

/** The init of a container as conmon wrote it down; nothing when that process is another one by now. */
export async function findInit(
  id: string,
  from: { layout: Layout; names: Names; cgroups: Cgroups },
): Promise<{ pid: number; startTicks: string } | undefined> {
  const pid = Number(await readTextIfExists(from.layout.pidFile(id)));
  if (!pid || !(await from.cgroups.pids(from.names.cgroup(id))).includes(pid)) return undefined;
  const startTicks = await startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** Sends a signal to a process that may have ended meanwhile. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The folder of the container that a process is the conmon of. */
async function monitoredBy(pid: number): Promise<string | undefined> {
  const args = (await readOfProcess(`/proc/${pid}/cmdline`)).split('\0');
  return basename(args[0] ?? '') === 'conmon' ? args[args.indexOf('--bundle') + 1] : undefined;
}

async function pidsBelow(cgroups: Cgroups, path: string): Promise<number[]> {
  const children = await cgroups.children(path);
  const below = await Promise.all(children.map((name) => pidsBelow(cgroups, `${path}/${name}`)));
  return [...(await cgroups.pids(path)), ...below.flat()];
}

async function readOfProcess(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return '';
    throw error;
  }
}
