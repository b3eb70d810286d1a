import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shellProcess, smallSpec } from '../src/container/container.conformance.ts';
import { btrfs } from '../src/container/fence/btrfs-commands.ts';
import { findCgroups } from '../src/container/fence/cgroups.ts';
import { ID_OFFSET } from '../src/container/fence/id-ranges.ts';
import { ociConfig } from '../src/container/fence/oci-spec.ts';
import { readRecord } from '../src/container/fence/record.ts';
import { openTestFence, type TestFence } from '../src/container/fence/testing/test-fence.ts';
import { exec } from '../src/platform/exec.ts';
import type { BenchRow } from './row.ts';

const RUNS = 30;
const TARGET_MS = 60;
const TARGET_RATIO = 3;

/** The container engine alone against bare `runc run` of the same root file system, one after the other in turns. */
export async function bench(): Promise<BenchRow[]> {
  if (process.getuid?.() !== 0) throw new Error('the container engine needs root');
  await using fence = await openTestFence();
  const ours: number[] = [];
  const ahead: number[] = [];
  const bare: number[] = [];
  const pss: number[] = [];
  await exec(btrfs.snapshot(await realpath(join(fence.layout.stacks, 'tiny')), bareRoot(fence.directory)));
  await runBare(fence, 'warm-up');
  await runOurs(fence, 'warm-up');
  await fence.engine.destroy('warm-up');
  for (let run = 0; run < RUNS; run++) {
    bare.push(await runBare(fence, `bare-${run}`));
    ours.push(await runOurs(fence, `ours-${run}`));
    await fence.engine.exec(`ours-${run}`, shellProcess('true'));
    pss.push(await monitorKb(fence, `ours-${run}`));
    await fence.engine.destroy(`ours-${run}`);
    await fence.engine.keepReady(1);
    ahead.push(await runOurs(fence, `ahead-${run}`));
    await fence.engine.destroy(`ahead-${run}`);
    await fence.engine.keepReady(0);
  }
  await (await findCgroups()).remove('/stackato/bare');
  return [
    startRow('container: create + start', ours, bare),
    startRow('container: create + start of one made ahead', ahead, bare),
    {
      what: 'container: idle overhead of one (conmon and init, PSS)',
      value: `${(quantile(pss, 0.5) / 1024).toFixed(1)} MB`,
      target: '≈ 2 MB',
      ok: quantile(pss, 0.5) <= 2.5 * 1024,
    },
  ];
}

async function runOurs({ engine }: TestFence, handle: string): Promise<number> {
  const startedAt = performance.now();
  await engine.create(smallSpec(handle, { ports: [8080] }));
  await engine.start(handle, shellProcess('exec sleep 1000'));
  return performance.now() - startedAt;
}

function startRow(what: string, ours: readonly number[], bare: readonly number[]): BenchRow {
  const ratio = quantile(ours, 0.5) / quantile(bare, 0.5);
  const [p50, p90, peer] = [quantile(ours, 0.5), quantile(ours, 0.9), quantile(bare, 0.5)];
  return {
    what: `${what}, p50 (p90)`,
    value: `${p50.toFixed(0)} ms (${p90.toFixed(0)})`,
    target: `≤ ${TARGET_MS} ms, ≤ ${TARGET_RATIO} × bare runc`,
    peer: `runc run ${peer.toFixed(0)} ms (${quantile(bare, 0.9).toFixed(0)})`,
    ratio: ratio.toFixed(2),
    ok: p50 <= TARGET_MS && ratio <= TARGET_RATIO,
  };
}

/** `runc run` with limits and namespaces as ours, but no network, no copy of the root, no output kept. */
async function runBare({ directory }: TestFence, handle: string): Promise<number> {
  const bundle = join(directory, 'bare', handle);
  await mkdir(bundle, { recursive: true });
  const files = Object.fromEntries(['resolvConf', 'hosts', 'hostname'].map((name) => [name, join(bundle, name)]));
  for (const path of Object.values(files)) await writeFile(path, '');
  const config = ociConfig({
    container: { handle, limits: smallSpec(handle).limits, mounts: [] },
    process: shellProcess('true'),
    firstId: ID_OFFSET,
    rootPath: bareRoot(directory),
    cgroupsPath: `/stackato/bare/${handle}`,
    files: files as Parameters<typeof ociConfig>[0]['files'],
    initPath: '/usr/bin/tini-static',
    hasSwapLimit: false,
    architecture: process.arch,
  });
  await writeFile(join(bundle, 'config.json'), JSON.stringify(config));
  const startedAt = performance.now();
  await exec(['runc', '--root', join(directory, 'bare-state'), 'run', '--bundle', bundle, handle]);
  return performance.now() - startedAt;
}

const bareRoot = (directory: string) => join(directory, 'store', 'bare');

/** Memory that a container costs besides what runs in it: its share counts pages that others use too. */
async function monitorKb({ layout }: TestFence, handle: string): Promise<number> {
  const record = await readRecord(layout, handle);
  const pids = [record?.conmonPid, record?.init?.pid].filter((pid) => pid !== undefined);
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
  return texts.reduce((sum, text) => sum + Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
