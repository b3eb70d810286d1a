import { rm } from 'node:fs/promises';
import { systemClock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { exists } from '../../platform/files.ts';
import { btrfs } from './btrfs-commands.ts';
import { findCgroups } from './cgroups.ts';
import { endMonitor, findMonitors, removeCgroup } from './monitors.ts';
import { layoutOf, namesOf, type PoolName } from './naming.ts';
import { hostBatch } from './network-commands.ts';
import { readRecords, removeRecord, writeRecord } from './record.ts';
import { isMountPoint } from './store.ts';
import { listDevices } from './sweep.ts';

/**
 * Takes everything of these pools out of the kernel, for when the platform stops or is removed from a machine: containers
 * that still run because what looked after them was killed, rules, network devices, control groups, then the store's
 * mount. Images and stacks stay in the store, and so do containers that have ended, with their logs and files.
 *
 * Nothing may use these pools meanwhile.
 */
export async function withdrawFence(directory: string, pools: readonly PoolName[]): Promise<void> {
  await endContainers(directory, pools);
  const { store } = layoutOf(directory, '');
  if (await isMountPoint(store)) await exec(['umount', store]);
}

/** Ends the containers of these pools, and takes what they needed out of the kernel; the store stays mounted. */
export async function endContainers(directory: string, pools: readonly PoolName[]): Promise<void> {
  for (const pool of pools) await withdrawPool(directory, pool);
}

async function withdrawPool(directory: string, pool: PoolName): Promise<void> {
  const [layout, names, clock] = [layoutOf(directory, pool), namesOf(directory, pool), systemClock];
  const unended = (await readRecords(layout)).filter(({ exit }) => !exit);
  // Should this be interrupted, the next engine goes on with it.
  for (const record of unended) await writeRecord(layout, { ...record, phase: 'destroying' });
  for (const pid of (await findMonitors(layout)).values()) await endMonitor(pid, clock);
  await removeCgroup(names.cgroupParent, { cgroups: await findCgroups(), clock });
  await rm(names.runtimeRoot, { recursive: true, force: true });

  const { code } = await exec(['nft', 'list', 'table', 'inet', names.table], { okCodes: [0, 1] });
  if (code === 0) await exec(['nft', 'delete', 'table', 'inet', names.table]);
  const devices = (await listDevices()).filter((name) => name.startsWith(names.vethPrefix));
  // The kernel removes those of ended containers by itself meanwhile.
  const input = devices.map((name) => `link del ${name}\n`).join('');
  if (devices.length > 0) await exec([...hostBatch, '-force'], { input, okCodes: [0, 1] });

  if (!(await isMountPoint(layout.store))) return;
  for (const { id } of unended) {
    if (await exists(layout.root(id))) await exec(btrfs.deleteSubvolumes([layout.root(id)]));
    await removeRecord(layout, id);
  }
}
