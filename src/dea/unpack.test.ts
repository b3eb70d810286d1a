import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { exec } from '../platform/exec.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { UnpackError, unpackDroplet } from './unpack.ts';

async function openFolders() {
  const folder = await temporaryDirectory('stackato-unpack');
  await chmod(folder.path, 0o755);
  const [source, target] = [join(folder.path, 'source'), join(folder.path, 'target')];
  await mkdir(source);
  await mkdir(target);
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const archive = join(folder.path, 'droplet.tgz');
  const unpack = (maxBytes = 1e9) => unpackDroplet({ archive, directory: target, ...ids, maxBytes });
  return {
    path: folder.path,
    source,
    target,
    archive,
    unpack,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('an archive with much padding behind its end is whole', async () => {
  await using folders = await openFolders();
  await writeFile(join(folders.source, 'a'), 'content');
  const plain = join(folders.path, 'plain.tar');
  await exec(['tar', '-cf', plain, '-C', folders.source, '.']);
  await writeFile(folders.archive, gzipSync(Buffer.concat([await readFile(plain), Buffer.alloc(8_000_000)])));
  for (let i = 0; i < 20; i++) await folders.unpack();
  assert.equal(await readFile(join(folders.target, 'a'), 'utf8'), 'content');
});

test('a truncated archive is refused', async () => {
  await using folders = await openFolders();
  await writeFile(join(folders.source, 'a'), Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 251)));
  await exec(['tar', '-czf', folders.archive, '-C', folders.source, '.']);
  const whole = await readFile(folders.archive);
  await writeFile(folders.archive, whole.subarray(0, whole.length / 2));
  await assert.rejects(folders.unpack(), UnpackError);
});

test('what is no archive is refused', async () => {
  await using folders = await openFolders();
  await writeFile(folders.archive, 'no archive at all');
  await assert.rejects(folders.unpack(), UnpackError);
});

test('an archive that unpacks to more than allowed is refused', async () => {
  await using folders = await openFolders();
  await writeFile(join(folders.source, 'zeros'), Buffer.alloc(5_000_000));
  await exec(['tar', '-czf', folders.archive, '-C', folders.source, '.']);
  await assert.rejects(folders.unpack(4 * 1_048_576), /more than the 4 MB/);
});

test('nothing is written outside of the folder, by paths or through links', async () => {
  await using folders = await openFolders();
  await mkdir(join(folders.path, 'outside'));
  await symlink('../outside', join(folders.source, 'link'));
  await exec(['tar', '-cf', join(folders.path, 'one.tar'), '-C', folders.source, 'link']);
  await exec(['rm', join(folders.source, 'link')]);
  await mkdir(join(folders.source, 'link'));
  await writeFile(join(folders.source, 'link/evil'), 'x');
  await exec(['tar', '-rf', join(folders.path, 'one.tar'), '-C', folders.source, 'link/evil']);
  const dotted = ['--transform', 's,^,../,'];
  await exec(['tar', '-rPf', join(folders.path, 'one.tar'), ...dotted, '-C', folders.source, 'link/evil']);
  await writeFile(folders.archive, gzipSync(await readFile(join(folders.path, 'one.tar'))));
  await folders.unpack().catch((error: unknown) => assert.ok(error instanceof UnpackError));
  assert.equal(existsSync(join(folders.path, 'outside/evil')), false);
  assert.equal(existsSync(join(folders.path, 'link')), false);
});
