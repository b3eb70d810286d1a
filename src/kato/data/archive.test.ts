import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { BlobStore } from '../../blobstore/blobstore.ts';
import { memoryBlobStore } from '../../blobstore/memory.ts';
import type { ArchiveIdentity, ArchiveManifest } from '../../contract/data-archive.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { Refusal } from '../refusal.ts';
import { readArchive } from './archive-reader.ts';
import { writeArchive } from './archive-writer.ts';

const signal = new AbortController().signal;
const passphrase = 'a few words of it';
const identity: ArchiveIdentity = {
  node: {
    id: 'a'.repeat(32),
    index: 0,
    address: '10.0.0.1',
    coreAddress: '10.0.0.1',
    roles: ['base'],
    zone: 'default',
    availabilityZone: 'default',
  },
  settings: { cluster: { domain: 'old.example' } },
  secrets: {
    database: {},
    clients: {},
    encryptionKey: 'e',
    signingKey: 's',
    nodeKey: 'n',
    supervisor: 'v',
    backupPassphrase: 'b',
  },
  files: { 'tls/ca.pem': 'CERTIFICATE' },
};
const dump = Buffer.alloc(200_000, 'dump ');

/** An archive of a store with these blobs. */
async function writeSample(
  path: string,
  blobs: BlobStore,
  keys: readonly string[],
  change: Partial<ArchiveManifest> = {},
) {
  const described = [];
  for (const key of keys) {
    await blobs.put(key, Readable.from([Buffer.alloc(100_000, key)]));
    const { bytes, sha256 } = (await blobs.stat(key)) ?? assert.fail();
    described.push({ key, bytes, sha256 });
  }
  const manifest: ArchiveManifest = {
    ...{ format: 1, kind: 'platform', version: '0.1.0', madeAtMs: 0, domain: 'old.example', core: 'c' },
    ...{ databaseBytes: dump.length, blobs: described, missing: [], left: [], ...change },
  };
  const databasePath = `${path}.dump`;
  await writeFile(databasePath, dump);
  await using databaseFile = await open(databasePath, 'r');
  const options = { passphrase, logN: 4, progress: () => {}, signal };
  return await writeArchive(path, { manifest, identity, databaseFile, blobs }, options);
}

test('an archive is read back as it was written, and only root can read it', async () => {
  await using folder = await temporaryDirectory('archive');
  const path = join(folder.path, 'x.age');
  const keys = ['droplets/a', 'droplets/b', 'packages/c'];
  assert.deepEqual(await writeSample(path, memoryBlobStore(), keys), []);
  await using databaseFile = await open(join(folder.path, 'restored'), 'wx+');
  const seen: Record<string, string> = {};
  const archive = await readArchive(path, passphrase, {
    ...{ databaseFile, signal },
    blob: async ({ key }, content) => {
      const hash = createHash('sha1');
      for await (const piece of content) hash.update(piece);
      seen[key] = hash.digest('hex');
    },
  });
  assert.deepEqual(archive.identity, identity);
  assert.deepEqual(
    archive.sound.map(({ key }) => key),
    keys,
  );
  assert.deepEqual(await readFile(join(folder.path, 'restored')), dump);
  const sha1 = (key: string) => createHash('sha1').update(Buffer.alloc(100_000, key)).digest('hex');
  assert.deepEqual(seen, Object.fromEntries(keys.map((key) => [key, sha1(key)])));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('a wrong passphrase, a cut and a changed archive are refused in words', async () => {
  await using folder = await temporaryDirectory('archive');
  const path = join(folder.path, 'x.age');
  await writeSample(path, memoryBlobStore(), ['droplets/a']);
  const whole = await readFile(path);
  const read = (words = passphrase) => readArchive(path, words, { signal });
  const refused = (pattern: RegExp) => (error: unknown) => error instanceof Refusal && pattern.test(error.message);
  await assert.rejects(read('another one'), refused(/passphrase is not the one/));
  for (const length of [10, 300, 70_000, 250_000, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, length));
    await assert.rejects(read(), refused(/cut|no encrypted archive/), `cut at ${length}`);
  }
  const changed = Buffer.from(whole);
  changed[260_000] = (changed[260_000] ?? 0) ^ 1;
  await writeFile(path, changed);
  await assert.rejects(read(), refused(/cut or changed; nothing was changed/));
});

test('an export that fails leaves nothing under its name', async () => {
  await using folder = await temporaryDirectory('archive');
  const path = join(folder.path, 'x.age');
  const blobs = memoryBlobStore();
  const broken: BlobStore = {
    ...blobs,
    get: async () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(1000);
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        })(),
      ),
  };
  await assert.rejects(writeSample(path, broken, ['droplets/a']), /disk .* is full; nothing was written/);
  await assert.rejects(readFile(path), { code: 'ENOENT' });
  await assert.rejects(readFile(`${path}.part`), { code: 'ENOENT' });
});

test('a blob that was damaged in the store is told of, and not taken for sound', async () => {
  await using folder = await temporaryDirectory('archive');
  const path = join(folder.path, 'x.age');
  const blobs = memoryBlobStore();
  const rotten: BlobStore = {
    ...blobs,
    get: async (key) => (key === 'droplets/b' ? Readable.from([Buffer.alloc(100_000, '?')]) : blobs.get(key)),
  };
  assert.deepEqual(await writeSample(path, rotten, ['droplets/a', 'droplets/b']), ['droplets/b']);
  const { sound } = await readArchive(path, passphrase, { signal });
  assert.deepEqual(
    sound.map(({ key }) => key),
    ['droplets/a'],
  );
});

test('an archive that was sealed but does not hold what it says is refused', async () => {
  await using folder = await temporaryDirectory('archive');
  const path = join(folder.path, 'x.age');
  await writeSample(path, memoryBlobStore(), ['droplets/a'], { databaseBytes: dump.length });
  await writeSample(path, memoryBlobStore(), [], { format: 2 as never });
  await assert.rejects(readArchive(path, passphrase, { signal }), /format/);
});
