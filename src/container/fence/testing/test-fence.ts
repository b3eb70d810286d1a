import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../platform/clock.ts';
import { exec } from '../../../platform/exec.ts';
import { exists, temporaryDirectory } from '../../../platform/files.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import type { ContainerEngine } from '../../container.ts';
import { type FenceOptions, openFence } from '../fence.ts';
import { layoutOf, namesOf } from '../naming.ts';
import { type ContainerRecord, readRecords, removeRecord } from '../record.ts';
import { namesIn } from '../store.ts';
import { listDevices } from '../sweep.ts';
import { withdrawFence } from '../withdraw.ts';
import { makeTinyRoot } from './tiny-root.ts';

export const TEST_POOL = 'test';
export const TEST_NETWORK = '10.251.0.0/22';

/** An engine of its own on this machine, with the stack `tiny`; everything of it goes when it is disposed. */
export type TestFence = {
  readonly engine: ContainerEngine;
  readonly directory: string;
  readonly options: FenceOptions;
  readonly names: ReturnType<typeof namesOf>;
  readonly layout: ReturnType<typeof layoutOf>;
  reopen(change?: Partial<FenceOptions>): Promise<ContainerEngine>;
  /** What is written down of a container. */
  recordOf(handle: string): Promise<ContainerRecord | undefined>;
  records(): Promise<ContainerRecord[]>;
  /** Loses what is written down of a container. */
  forget(id: string): Promise<void>;
} & AsyncDisposable;

/** Opens a real engine on a small store in a temporary folder. Needs root. */
export async function openTestFence(
  more: Partial<FenceOptions> & { otherPools?: readonly string[] } = {},
): Promise<TestFence> {
  const folder = await temporaryDirectory(`fence-${process.pid}`);
  await chmod(folder.path, 0o711);
  const directory = more.directory ?? join(folder.path, 'fence');
  const options: FenceOptions = {
    directory,
    pool: TEST_POOL,
    network: TEST_NETWORK,
    hostPorts: { first: 39_001, last: 39_900 },
    deniedDestinations: ['169.254.0.0/16'],
    runtime: 'runc',
    storeMb: 2048,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...more,
  };
  const engines: ContainerEngine[] = [];
  const open = async (change: Partial<FenceOptions> = {}) => {
    const engine = await openFence({ ...options, ...change });
    engines.push(engine);
    return engine;
  };
  const engine = await open();
  const tiny = join(folder.path, 'tiny');
  await mkdir(tiny);
  await makeTinyRoot(tiny);
  await engine.importStack('tiny', { directory: tiny });
  const names = namesOf(directory, options.pool);
  const layout = layoutOf(directory, options.pool);
  return {
    ...{ engine, directory, options, names, layout },
    reopen: open,
    records: () => readRecords(layout),
    forget: (id) => removeRecord(layout, id),
    recordOf: async (handle) => (await readRecords(layout)).find((record) => record.handle === handle),
    [Symbol.asyncDispose]: async () => {
      for (const each of engines) await each[Symbol.asyncDispose]();
      await withdrawFence(directory, [options.pool, ...(more.otherPools ?? [])]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Removes the engines of processes that ended without doing so. */
export async function removeAbandonedFences(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, owner = ''] = /^fence-(\d+)-\w+$/.exec(name) ?? [];
    if (owner === '' || (await exists(`/proc/${owner}`))) continue;
    const folder = join(tmpdir(), name);
    await withdrawFence(join(folder, 'fence'), await namesIn(join(folder, 'fence', 'pools')));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything of an engine that exists outside its folder's plain files: what a leak would be seen in. */
export async function tracesOf({ names, layout }: Pick<TestFence, 'names' | 'layout'>): Promise<string[]> {
  const traces: string[] = [];
  const devices = (await listDevices()).filter((name) => name.startsWith(names.vethPrefix));
  traces.push(...devices.map((name) => `device ${name}`));
  for (const tree of await namesIn('/sys/fs/cgroup')) {
    const groups = await foldersIn(`/sys/fs/cgroup/${tree}${names.cgroupParent}`);
    traces.push(...groups.map((name) => `control group ${tree} ${name}`));
  }
  for (const folder of [layout.roots, layout.making, layout.containers, layout.exits, names.runtimeRoot]) {
    traces.push(...(await namesIn(folder)).map((name) => `${folder}/${name}`));
  }
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  traces.push(...mounts.split('\n').filter((line) => line.includes(layout.own) || line.includes(names.runtimeRoot)));
  const { stdout } = await exec(['nft', 'list', 'table', 'inet', names.table], { okCodes: [0, 1] });
  traces.push(...[...stdout.matchAll(/chain ((?:exact|broad)\d+)|elements = .*/g)].map(([text]) => `rule ${text}`));
  const { stdout: processes } = await exec(['ps', '-eo', 'args']);
  traces.push(...processes.split('\n').filter((line) => line.startsWith('conmon') && line.includes(layout.own)));
  return traces;
}

async function foldersIn(path: string): Promise<string[]> {
  if ((await namesIn(path)).length === 0) return [];
  return (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
