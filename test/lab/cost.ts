import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNode } from './node.ts';

const MB = 1_048_576;

/** What a lab node takes of this machine: memory of the platform's own processes (shared pages divided), disk of its containers' store. MB. */
export type NodeCost = { readonly processes: number; readonly memoryMb: number; readonly storeMb: number };

export function costOf(node: LabNode): NodeCost {
  const { stdout } = spawnSync('ip', ['netns', 'pids', node.name], { encoding: 'utf8' });
  const pids = stdout.split('\n').filter(Boolean);
  const kb = pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readIfThere(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
  return {
    processes: pids.length,
    memoryMb: Math.round(kb.reduce((sum, one) => sum + one, 0) / 1024),
    storeMb: Math.round(allocatedBytes(join(node.state, 'fence', 'store.img')) / MB),
  };
}

/** Seconds of processor time that this machine has spent on everything since it started. */
export function busyS(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

/** Free space where temporary files go, GB. */
export function freeDiskGb(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return Math.round((bavail * bsize) / 1e9);
}

function allocatedBytes(path: string): number {
  try {
    return statSync(path).blocks * 512;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Empty for a process that ended meanwhile. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
