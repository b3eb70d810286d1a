import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { contained } from './contained.ts';
import { start } from './exec.ts';

const skip = process.getuid?.() === 0 ? false : 'namespaces need root';

test('processes and mounts of a contained command end with the process that is killed', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'contained-'));
  const command = contained(['sh', '-c', `mount -t tmpfs none ${folder} && (sleep 1000 & echo mounted; wait)`]);
  const code = `require('child_process').spawn(${JSON.stringify(command[0])}, ${JSON.stringify(command.slice(1))}, { stdio: 'inherit' })`;
  const parent = start([process.execPath, '-e', code], {}, ['ignore', 'pipe', 'inherit']);
  try {
    assert.ok(parent.stdout);
    const [said] = await once(parent.stdout, 'data');
    assert.equal(String(said), 'mounted\n');
    assert.ok(!(await readFile('/proc/self/mounts', 'utf8')).includes(folder));
    const over = once(parent.stdout.resume(), 'end');
    parent.kill('SIGKILL');
    await over;
    await rm(folder, { recursive: true });
  } finally {
    parent.kill('SIGKILL');
  }
});
