import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { namesOf } from '../../src/container/fence/naming.ts';
import { removeAbandoned } from './abandoned.ts';
import { LabNode } from './node.ts';

const skip = process.getuid?.() === 0 ? false : 'a lab node needs root';
const LEFTOVER = fileURLToPath(new URL('leftover.ts', import.meta.url));

test('a node that was killed leaves no process, mount, network, control group or file when it is removed', {
  skip,
}, async () => {
  const node = LabNode.create();
  mkdirSync(node.state, { recursive: true });
  const names = namesOf(join(node.state, 'fence'), 'dea');
  const folder = dirname(node.state);
  const processes = () => spawnSync('pgrep', ['-f', folder], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  const groups = () =>
    readdirSync('/sys/fs/cgroup').filter((tree) => existsSync(`/sys/fs/cgroup/${tree}${names.cgroupParent}`));
  try {
    const left = await node.run([process.execPath, LEFTOVER, node.state]);
    assert.notEqual(left.code, 0, left.stderr);
    assert.equal(processes().length, 3, left.stderr);
    assert.ok(groups().length > 0);
  } finally {
    await node.remove();
  }
  assert.deepEqual(processes(), []);
  assert.deepEqual(groups(), []);
  assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes(folder));
  for (const path of [folder, `/run/netns/${node.name}`, names.runtimeRoot]) assert.ok(!existsSync(path), path);
});

test('a node whose maker was killed is removed by the next test run, and no other', { skip }, async () => {
  const module = fileURLToPath(new URL('node.ts', import.meta.url));
  const script = `import { LabNode } from '${module}'; console.log(LabNode.create().name); process.kill(process.pid, 'SIGKILL');`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  const name = stdout.trim();
  const own = LabNode.create();
  const isThere = (node: string) => existsSync(`/run/netns/${node}`);
  try {
    assert.deepEqual([isThere(name), isThere(own.name)], [true, true]);
    await removeAbandoned(() => undefined);
    assert.deepEqual([isThere(name), isThere(own.name)], [false, true]);
    assert.ok(!readdirSync(tmpdir()).some((folder) => folder.startsWith(`${name}-`)));
  } finally {
    await own.remove();
  }
});
