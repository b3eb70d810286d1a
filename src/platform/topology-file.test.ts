import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from './clock.ts';
import { temporaryDirectory, writeFileAtomic } from './files.ts';
import { silentLog } from './log.ts';
import { TopologyFile } from './topology-file.ts';

const node = (id: string, ...roles: string[]) => ({ id, index: 1, address: `10.0.0.${id}`, roles, name: '' });
const write = (path: string, ...nodes: ReturnType<typeof node>[]) =>
  writeFileAtomic(path, JSON.stringify({ revision: 1, core: '1', nodes }));

test('gives the nodes with the role, and tells when they changed', async () => {
  await using folder = await temporaryDirectory('topology');
  const path = join(folder.path, 'topology.json');
  const clock = new FakeClock();
  using file = await TopologyFile.open(path, 'router', { log: silentLog, clock });
  assert.deepEqual(file.nodes(), []);
  let told = 0;
  file.onChange(() => {
    told += 1;
  });
  await write(path, node('1', 'base', 'primary'), node('2', 'base', 'router'));
  await file.look();
  assert.deepEqual(file.nodes(), [{ id: '2', address: '10.0.0.2' }]);
  await write(path, node('1', 'base', 'primary', 'dea'), node('2', 'base', 'router'));
  await file.look();
  assert.equal(told, 1);
  await rm(path);
  await file.look();
  assert.deepEqual([file.nodes(), told], [[], 2]);
});

test('a file that can not be read leaves what was known', async () => {
  await using folder = await temporaryDirectory('topology');
  const path = join(folder.path, 'topology.json');
  await write(path, node('2', 'base', 'router'));
  const faults: string[] = [];
  const log = { ...silentLog, error: (event: string) => void faults.push(event) };
  using file = await TopologyFile.open(path, 'router', { log, clock: new FakeClock() });
  for (const text of ['{"nodes":', '{"nodes": 7}']) {
    await writeFile(path, text);
    await file.look();
    assert.equal(file.nodes().length, 1);
  }
  assert.deepEqual(faults, ['failed-to-read-topology', 'failed-to-read-topology']);
});
