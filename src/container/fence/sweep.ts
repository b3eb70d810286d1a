import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import type { Cgroups } from './cgroups.ts';
import type { Containers } from './containers.ts';
import { endMonitor, findMonitors, removeCgroup } from './monitors.ts';
import type { Layout, Names } from './naming.ts';
import type { Network } from './network.ts';
import type { RuntimeCommands } from './runtime-commands.ts';
import type { Stacks } from './stacks.ts';
import { namesIn, type Store } from './store.ts';

export type SweepTools = {
  readonly layout: Layout;
  readonly names: Names;
  readonly commands: RuntimeCommands;
  readonly containers: Containers;
  readonly network: Network;
  readonly stacks: Stacks;
  readonly store: Store;
  readonly cgroups: Cgroups;
  readonly clock: Clock;
};

/** Removes what belongs to none of the pool's containers; tells what it removed. */
export async function sweep(tools: SweepTools): Promise<string[]> {
  const { containers, layout } = tools;
  const removed: string[] = [];
  const interrupted = (await containers.all()).filter(
    ({ record }) => (record.phase === 'creating' || record.phase === 'destroying') && !containers.isBusy(record.handle),
  );
  for (const entry of interrupted) {
    await containers.inTurn(entry.record.handle, () => containers.remove(entry));
    removed.push(`container ${entry.record.handle}`);
  }
  const known = new Set((await containers.all()).map(({ record }) => record.id));
  const isOrphan = (handle: string) => !known.has(handle) && !containers.isBusy(handle);
  for (const [handle, pid] of await findMonitors(layout)) {
    if (!isOrphan(handle)) continue;
    await endMonitor(pid, tools.clock);
    removed.push(`monitor ${handle}`);
  }
  for (const handle of (await namesIn(layout.containers)).filter(isOrphan)) {
    await containers.forget(handle);
    removed.push(`folder ${handle}`);
  }
  removed.push(...(await sweepRuntime(tools, isOrphan)));
  removed.push(...(await sweepRoots(tools, isOrphan)));
  removed.push(...(await sweepNetwork(tools)));
  removed.push(...(await tools.stacks.sweep()));
  return removed;
}

async function sweepRuntime({ names, commands, cgroups, clock }: SweepTools, isOrphan: (h: string) => boolean) {
  const states = (await namesIn(names.runtimeRoot)).filter(isOrphan);
  for (const handle of states) await exec(commands.delete(handle));
  const groups = (await cgroups.children(names.cgroupParent)).filter(isOrphan);
  for (const handle of groups) await removeCgroup(names.cgroup(handle), { cgroups, clock });
  return [...states.map((handle) => `runtime state ${handle}`), ...groups.map((handle) => `control group ${handle}`)];
}

async function sweepRoots({ layout, store, stacks }: SweepTools, isOrphan: (handle: string) => boolean) {
  const roots = (await namesIn(layout.roots)).filter(isOrphan).map((handle) => layout.root(handle));
  const unfinished = (await namesIn(layout.making))
    .map((name) => join(layout.making, name))
    .filter((path) => !stacks.making.has(path));
  await store.remove([...roots, ...unfinished]);
  return [...roots, ...unfinished].map((path) => `subvolume ${path.slice(layout.store.length + 1)}`);
}

async function sweepNetwork({ names, network, containers }: SweepTools): Promise<string[]> {
  const devices = (await listDevices()).filter((name) => name.startsWith(names.vethPrefix));
  const slots = devices.map((name) => Number(name.slice(names.vethPrefix.length)));
  const orphans = slots.filter((slot) => !network.isUsed(slot));
  await network.removeVeths(orphans);
  const members = (await containers.all()).map(({ record }) => record);
  const rules = await network.removeOrphanRules(members);
  return [...orphans.map((slot) => `network device ${names.veth(slot)}`), ...rules];
}

/** Network devices of this process's own network namespace; /sys shows those of the one it was mounted in. */
export async function listDevices(): Promise<string[]> {
  const lines = (await readFile('/proc/self/net/dev', 'utf8')).split('\n').slice(2);
  return lines.map((line) => line.split(':')[0]?.trim() ?? '').filter((name) => name !== '');
}
