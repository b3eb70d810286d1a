import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../platform/files.ts';
import { raiseKernelLimits } from './kernel-limits.ts';

test('limits that all containers share are raised, and never lowered', async () => {
  await using folder = await temporaryDirectory('limits');
  const inotify = join(folder.path, 'fs/inotify');
  await mkdir(inotify, { recursive: true });
  const [instances, watches] = [join(inotify, 'max_user_instances'), join(inotify, 'max_user_watches')];
  await writeFile(instances, '128\n');
  await writeFile(watches, '2000000000\n');
  await raiseKernelLimits(folder.path);
  assert.equal(await readFile(instances, 'utf8'), '1048576');
  assert.equal(await readFile(watches, 'utf8'), '2000000000\n');
});
