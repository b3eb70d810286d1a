import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { pathsOf } from '../platform/paths.ts';
import { BlobStoreError } from './blobstore.ts';
import { openBlobStore } from './open.ts';
import { claimSharedFolder } from './shared-folder.ts';

test('a shared folder whose mount is lost refuses every use, and goes on once it is mounted', async () => {
  await using place = await temporaryDirectory('mount');
  const folder = join(place.path, 'mnt');
  const memory = join(place.path, 'memory');
  const config = decode(ClusterConfig, { blobs: { folder } }, 'settings');
  const from = { config, credentials: {} as never, paths: pathsOf(place.path), log: silentLog };
  const open = () => openBlobStore(from, () => claimSharedFolder({ folder, cluster: 'c', memory }));
  const put = (key: string) => blobs.put(key, Readable.from([Buffer.from('content')]));
  const listed = async () => await Array.fromAsync(blobs.list(''));

  let blobs = await open();
  await put('packages/one');
  await rename(folder, `${folder}.away`);
  // What an earlier start left below the mount point.
  await mkdir(join(folder, '.incoming'), { recursive: true });
  const unmounted = (error: unknown) => error instanceof BlobStoreError && /mount it there/.test(error.message);
  for (const again of [false, true]) {
    if (again) blobs = await open();
    await assert.rejects(put('packages/two'), unmounted);
    await assert.rejects(blobs.stat('packages/one'), unmounted);
    await assert.rejects(blobs.get('packages/one'), unmounted);
    await assert.rejects(listed(), unmounted);
    await assert.rejects(blobs.check(), unmounted);
    assert.deepEqual(await readdir(folder, { recursive: true }), ['.incoming']);
  }
  await rmdir(join(folder, '.incoming'));
  await rmdir(folder);
  await rename(`${folder}.away`, folder);
  await blobs.check();
  await put('packages/two');
  assert.deepEqual((await listed()).toSorted(), ['packages/one', 'packages/two']);
});
