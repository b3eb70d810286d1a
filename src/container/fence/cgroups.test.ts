import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../platform/files.ts';
import { findCgroups } from './cgroups.ts';

const limits = { memoryMb: 256, diskMb: 0, pids: 100, fds: 100 };

/** Files as the kernel shows them; what it makes and removes by itself is up to the test. */
async function tree(files: Readonly<Record<string, string>>) {
  const folder = await temporaryDirectory('cgroups');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder.path, dirname(path)), { recursive: true });
    await writeFile(join(folder.path, path), text);
  }
  const read = (path: string) => readFile(join(folder.path, path), 'utf8');
  return { ...{ path: folder.path, read }, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test('version 2: one tree is read, limited and removed', async () => {
  await using root = await tree({
    'cgroup.controllers': 'cpu memory pids\n',
    'stackato/x/c1/cgroup.procs': '12\n34\n',
    'stackato/x/c1/cpu.stat': 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n',
    'stackato/x/c1/memory.current': '5000\n',
    'stackato/x/c1/memory.stat': 'anon 3000\ninactive_file 2000\nactive_file 10\n',
    'stackato/x/c1/memory.events': 'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n',
    'stackato/x/c1/pids.current': '2\n',
    'stackato/x/c1/pids.events': 'max 4\n',
  });
  const cgroups = await findCgroups(root.path);
  assert.deepEqual([cgroups.version, cgroups.hasSwapLimit], [2, true]);
  assert.deepEqual(await cgroups.usage('/stackato/x/c1'), {
    ...{ cpuNs: 1_500_000, memoryBytes: 3000, pids: 2, memoryKills: 1, refusedForks: 4 },
  });
  assert.equal(await cgroups.oomKills('/stackato/x/c1'), 1);
  assert.deepEqual(await cgroups.pids('/stackato/x/c1'), [12, 34]);
  assert.deepEqual(await cgroups.children('/stackato/x'), ['c1']);
  await cgroups.limit('/stackato/x/c1', limits);
  const at = (file: string) => root.read(`stackato/x/c1/${file}`);
  assert.deepEqual(await Promise.all(['memory.max', 'memory.swap.max', 'pids.max', 'cpu.weight'].map(at)), [
    ...[String(256 * 1_048_576), '0', '100', '10'],
  ]);
  assert.deepEqual(
    [await cgroups.usage('/stackato/x/gone'), await cgroups.oomKills('/stackato/x/gone')],
    [undefined, 0],
  );
  assert.equal(await cgroups.remove('/stackato/x/gone'), true);
});

test('version 1, and hybrid: a tree for each controller, the empty one of version 2 beside them left alone', async () => {
  const group = 'stackato/x/c1';
  await using root = await tree({
    'unified/cgroup.controllers': '',
    [`unified/${group}/cgroup.procs`]: '',
    'memory/memory.memsw.limit_in_bytes': '0\n',
    [`memory/${group}/memory.usage_in_bytes`]: '5000\n',
    [`memory/${group}/memory.stat`]: 'inactive_file 1\ntotal_inactive_file 2000\n',
    [`memory/${group}/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
    [`cpuacct/${group}/cpuacct.usage`]: '1500000\n',
    [`cpu/${group}/cpu.shares`]: '1024\n',
    [`pids/${group}/pids.current`]: '2\n',
    [`pids/${group}/pids.events`]: 'max 4\n',
    [`pids/${group}/cgroup.procs`]: '12\n34\n',
  });
  const cgroups = await findCgroups(root.path);
  assert.deepEqual([cgroups.version, cgroups.hasSwapLimit], [1, true]);
  assert.deepEqual(await cgroups.usage(`/${group}`), {
    ...{ cpuNs: 1_500_000, memoryBytes: 3000, pids: 2, memoryKills: 3, refusedForks: 4 },
  });
  assert.equal(await cgroups.oomKills(`/${group}`), 3);
  assert.deepEqual(await cgroups.pids(`/${group}`), [12, 34]);
  assert.deepEqual(await cgroups.children('/stackato/x'), ['c1']);
  await cgroups.limit(`/${group}`, limits);
  const files = [
    'memory/memory.limit_in_bytes',
    'memory/memory.memsw.limit_in_bytes',
    'pids/pids.max',
    'cpu/cpu.shares',
  ];
  assert.deepEqual(await Promise.all(files.map((file) => root.read(file.replace('/', `/${group}/`)))), [
    ...[String(256 * 1_048_576), String(256 * 1_048_576), '100', '256'],
  ]);
  await rm(join(root.path, 'memory/memory.memsw.limit_in_bytes'));
  const without = await findCgroups(root.path);
  assert.equal(without.hasSwapLimit, false);
  await writeFile(join(root.path, `memory/${group}/memory.memsw.limit_in_bytes`), 'untouched');
  await without.limit(`/${group}`, limits);
  assert.equal(await root.read(`memory/${group}/memory.memsw.limit_in_bytes`), 'untouched');
});
