import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { BlobStoreError } from './blobstore.ts';
import { claimSharedFolder, sharedFolderMark } from './shared-folder.ts';

const refused = (why: RegExp) => (error: unknown) => error instanceof BlobStoreError && why.test(error.message);

test('the Core marks a folder once; without its mark nobody uses it, the Core neither', async () => {
  await using place = await temporaryDirectory('shared');
  const folder = join(place.path, 'mnt');
  const other = { folder, cluster: 'a'.repeat(32) };
  const core = { ...other, memory: join(place.path, 'memory') };
  await assert.rejects(claimSharedFolder(other), refused(/mount it there/));
  await claimSharedFolder(core);
  await claimSharedFolder(core);
  await claimSharedFolder(other);
  await rm(join(folder, sharedFolderMark));
  await assert.rejects(claimSharedFolder(core), refused(/mount it there/));
});

test('the folder of another cluster is refused', async () => {
  await using place = await temporaryDirectory('shared');
  const memory = join(place.path, 'memory');
  const folder = join(place.path, 'mnt');
  await claimSharedFolder({ folder, cluster: 'a'.repeat(32), memory });
  await assert.rejects(claimSharedFolder({ folder, cluster: 'b'.repeat(32), memory }), refused(/another cluster/));
});

test('a folder that can not be made says so', async () => {
  await using place = await temporaryDirectory('shared');
  await writeFile(join(place.path, 'file'), '');
  const folder = join(place.path, 'file', 'below');
  const claiming = claimSharedFolder({ folder, cluster: 'c', memory: join(place.path, 'memory') });
  await assert.rejects(claiming, refused(/can't be used \(ENOTDIR\)/));
});
