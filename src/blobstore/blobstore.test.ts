import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { start } from '../platform/exec.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { blobStoreConformance } from './blobstore.conformance.ts';
import { BlobStoreFullError } from './blobstore.ts';
import { diskBlobStore } from './disk.ts';
import { memoryBlobStore } from './memory.ts';

blobStoreConformance('memory', async () => ({ store: memoryBlobStore(), [Symbol.asyncDispose]: async () => {} }));
blobStoreConformance('disk', async () => {
  const folder = await temporaryDirectory('blobs');
  return { store: await diskBlobStore(folder.path), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
});

test('a put that is killed leaves no blob, and its rest goes when it is old', async () => {
  await using folder = await temporaryDirectory('blobs');
  const script = join(folder.path, 'put.ts');
  const module = JSON.stringify(new URL('./disk.ts', import.meta.url).pathname);
  await writeFile(
    script,
    `import { Readable } from 'node:stream';
import { diskBlobStore } from ${module};
const store = await diskBlobStore(${JSON.stringify(join(folder.path, 'store'))});
await store.put('x/a', Readable.from((async function* () {
  yield Buffer.alloc(100_000);
  process.stdout.write('half');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
})()));`,
  );
  const child = start([process.execPath, script]);
  const ended = once(child, 'exit');
  if (child.stdout) await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await ended;
  const store = await diskBlobStore(join(folder.path, 'store'));
  assert.equal(await store.stat('x/a'), undefined);
  const incoming = join(folder.path, 'store', '.incoming');
  const [leftover = ''] = await readdir(incoming);
  await utimes(join(incoming, leftover), 1, 1);
  await diskBlobStore(join(folder.path, 'store'));
  assert.deepEqual(await readdir(incoming), []);
});

test('lost checksums are computed again', async () => {
  await using folder = await temporaryDirectory('blobs');
  const store = await diskBlobStore(folder.path);
  const info = await store.put('x/a', Readable.from([Buffer.from('content')]));
  await rm(join(folder.path, 'x', '.a.json'));
  assert.deepEqual(await store.stat('x/a'), info);
});

test('a full disk is said as such', async () => {
  await using folder = await temporaryDirectory('blobs');
  const store = await diskBlobStore(folder.path);
  const full = Readable.from(
    // biome-ignore lint/correctness/useYield: a stream that fails before its first byte
    (async function* () {
      throw Object.assign(new Error('write'), { code: 'ENOSPC' });
    })(),
  );
  await assert.rejects(store.put('x/a', full), BlobStoreFullError);
});
