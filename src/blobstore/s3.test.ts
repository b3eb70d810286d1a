import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { ensureAuthority, ensureServerCertificate } from '../platform/tls.ts';
import { blobStoreConformance } from './blobstore.conformance.ts';
import { type BlobStore, BlobStoreError, BlobStoreFullError } from './blobstore.ts';
import { s3BlobStore } from './s3.ts';
import type { S3Settings } from './s3-bucket.ts';
import { S3Server } from './testing/s3-server.ts';

type Change = Partial<ClusterConfig['blobs']['s3']> & Partial<Pick<S3Settings, 'accessKeyId' | 'secretAccessKey'>>;

function storeOn(server: S3Server, change: Change = {}): Promise<BlobStore> {
  const { accessKeyId, secretAccessKey, ...s3 } = change;
  const { endpoint, bucket, keys } = server;
  const settings = { endpoint, bucket, region: keys.region, timeoutMs: 5000, ...s3 };
  const config = decode(ClusterConfig, { blobs: { kind: 's3', s3: settings } }, 'config');
  return s3BlobStore({
    s3: config.blobs.s3,
    accessKeyId: accessKeyId ?? keys.accessKeyId,
    secretAccessKey: secretAccessKey ?? keys.secretAccessKey,
    log: silentLog,
    partBytes: 64 * 1024,
    attempts: 2,
  });
}

const content = (bytes: number) => Buffer.alloc(bytes, 'content of a blob that has no short period / ');
const read = async (store: BlobStore, key: string, range?: { start: number; end?: number }) =>
  buffer((await store.get(key, range)) as Readable);

blobStoreConformance('s3', async () => {
  const server = await S3Server.start();
  return { store: await storeOn(server), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
});

test('a large blob travels in parts, one at a time, and no part is left behind', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  const info = await store.put('x/large', Readable.from([content(200_000)]));
  assert.equal(server.requests.filter(({ operation }) => operation === 'UploadPart').length, 4);
  assert.deepEqual(await store.stat('x/large'), info);
  assert.ok((await read(store, 'x/large')).equals(content(200_000)));
  const broken = Readable.from(
    (async function* () {
      yield content(150_000);
      throw new Error('client went away');
    })(),
  );
  await assert.rejects(store.put('x/broken', broken), /client went away/);
  assert.equal(server.uploads.size, 0);
  assert.equal(await store.stat('x/broken'), undefined);
});

test('lost or foreign checksums are computed again', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  const info = await store.put('x/large', Readable.from([content(200_000)]));
  server.objects.delete('.sums/x/large');
  assert.deepEqual(await store.stat('x/large'), info);
  const other = await store.put('x/other', Readable.from([content(150_000)]));
  server.objects.set('.sums/x/large', server.objects.get('.sums/x/other') as never);
  assert.deepEqual(await store.stat('x/large'), info);
  assert.deepEqual(await store.stat('x/other'), other);
});

test('a download that breaks off goes on where it was, also within a range', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  await store.put('x/a', Readable.from([content(60_000)]));
  let cuts = 2;
  server.misbehave = ({ operation }) => (operation === 'GetObject' && cuts-- > 0 ? { cutAfter: 10_000 } : undefined);
  assert.ok((await read(store, 'x/a')).equals(content(60_000)));
  const ranges = server.requests.flatMap(({ operation, request }) =>
    operation === 'GetObject' ? [request.headers.range ?? 'whole'] : [],
  );
  assert.deepEqual(ranges.slice(0, 2), ['whole', 'bytes=10000-']);
  assert.ok((await read(store, 'x/a', { start: 5, end: 9 })).equals(content(60_000).subarray(5, 10)));
});

test('a blob that is replaced while it is read fails rather than mixing two', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  await store.put('x/a', Readable.from([content(60_000)]));
  let cuts = 1;
  server.misbehave = ({ operation }) => (operation === 'GetObject' && cuts-- > 0 ? { cutAfter: 10_000 } : undefined);
  const stream = (await store.get('x/a')) as Readable;
  await store.put('x/a', Readable.from([Buffer.alloc(60_000, 'other')]));
  await assert.rejects(buffer(stream), BlobStoreError);
});

test('a request that fails for a moment is sent again', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  let failures = 1;
  server.misbehave = () => (failures-- > 0 ? { status: 503, code: 'SlowDown' } : undefined);
  await store.put('x/a', Readable.from([content(100)]));
  assert.equal((await store.stat('x/a'))?.bytes, 100);
});

const wrong: readonly [string, Change, RegExp][] = [
  ['an access key that does not exist', { accessKeyId: 'nobody' }, /does not know the access key.*accessKeyId/],
  ['a wrong secret', { secretAccessKey: 'a guess' }, /refuses the secret access key/],
  ['a bucket that does not exist', { bucket: 'nowhere' }, /has no bucket 'nowhere'/],
  ['another region', { region: 'us-east-1' }, /not in the region us-east-1/],
  ['a dead endpoint', { endpoint: 'http://127.0.0.1:1' }, /can't be reached \(ECONNREFUSED\)/],
  ['a name that does not resolve', { endpoint: 'http://s3.invalid' }, /can't be reached \((ENOTFOUND|EAI_AGAIN)\)/],
];
for (const [what, change, expected] of wrong) {
  test(`${what} is said as such, by every operation, without the secret`, async () => {
    await using server = await S3Server.start();
    const store = await storeOn(server, change);
    for (const attempt of [
      () => store.check(),
      () => store.put('x/a', Readable.from([content(10)])),
      () => Array.fromAsync(store.list('x/')),
      () => store.get('x/a'),
    ]) {
      await assert.rejects(attempt, (error: Error) => {
        assert.ok(error instanceof BlobStoreError, String(error));
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /test-secret|a guess/);
        return true;
      });
    }
  });
}

test('a clock that is off is said as such', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  server.misbehave = () => ({ status: 403, code: 'RequestTimeTooSkewed' });
  await assert.rejects(store.check(), /clocks .* differ/);
});

test('a clock that is off is made up for once the server has told its own', async () => {
  await using server = await S3Server.start();
  server.skewMs = 3_600_000;
  const store = await storeOn(server);
  await store.put('x/a', Readable.from([content(10)]));
  assert.equal((await store.stat('x/a'))?.bytes, 10);
});

test('a full bucket and missing rights are said as such', async () => {
  await using server = await S3Server.start();
  const store = await storeOn(server);
  server.misbehave = () => ({ status: 507, code: 'XMinioStorageFull' });
  await assert.rejects(store.put('x/a', Readable.from([])), BlobStoreFullError);
  server.misbehave = () => ({ status: 403, code: 'AccessDenied' });
  await assert.rejects(store.check(), /does not let this access key use the bucket 'blobs'/);
});

test('a server that says nothing is given up', async () => {
  await using server = await S3Server.start();
  await (await storeOn(server)).put('x/a', Readable.from([content(60_000)]));
  const store = await storeOn(server, { timeoutMs: 100 });
  server.misbehave = () => 'silence';
  await assert.rejects(store.check(), /can't be reached \(\w*Time\w*\)/i);
  server.misbehave = ({ operation }) => (operation === 'GetObject' ? { stallAfter: 0 } : undefined);
  await assert.rejects(read(store, 'x/a'), /can't be reached/);
});

test('a certificate is checked against the CA file', async () => {
  await using folder = await temporaryDirectory('s3-tls');
  const at = (name: string) => join(folder.path, name);
  const owner = { name: 'me', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const authority = { certificate: at('ca.pem'), key: at('ca.key') };
  await ensureAuthority(authority, { name: 'test', owner });
  await ensureServerCertificate(at('server.pem'), authority, { names: ['IP:127.0.0.1'], owner, nowMs: Date.now() });
  const pem = await readFile(at('server.pem'), 'utf8');
  await using server = await S3Server.start({ cert: pem, key: pem });
  const store = await storeOn(server, { caFile: at('ca.pem') });
  await store.put('x/a', Readable.from([content(200_000)]));
  assert.equal((await read(store, 'x/a')).length, 200_000);
  await assert.rejects((await storeOn(server)).check(), /certificate .* not trusted.*caFile/);
});

test('missing settings are named', async () => {
  await using server = await S3Server.start();
  await assert.rejects(storeOn(server, { bucket: '' }), /blobs\.s3\.bucket/);
  await assert.rejects(storeOn(server, { accessKeyId: '' }), /blobs\.s3\.accessKeyId/);
  await assert.rejects(storeOn(server, { caFile: '/nowhere/ca.pem' }), /\/nowhere\/ca\.pem can't be read/);
});
