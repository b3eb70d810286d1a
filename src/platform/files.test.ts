import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readJsonIfExists, temporaryDirectory, writeFileAtomic } from './files.ts';

test('writeFileAtomic() replaces the whole content, with the mode asked for, and leaves nothing else', async () => {
  await using directory = await temporaryDirectory('files');
  const path = join(directory.path, 'sub', 'secret.json');
  await writeFileAtomic(path, '{"a":1}', 0o600);
  await writeFileAtomic(path, '{}', 0o600);
  assert.equal(await readFile(path, 'utf8'), '{}');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(join(directory.path, 'sub')), ['secret.json']);
});

test('readJsonIfExists() gives undefined for no file and names a broken one', async () => {
  await using directory = await temporaryDirectory('files');
  const path = join(directory.path, 'x.json');
  assert.equal(await readJsonIfExists(path), undefined);
  await writeFileAtomic(path, '{"cut":');
  await assert.rejects(readJsonIfExists(path), /x\.json is not JSON/);
});
