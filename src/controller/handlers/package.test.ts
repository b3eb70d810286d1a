import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { fromBufferPromise } from 'yauzl';
import { type AppWorld, appWorld } from '../testing/app-world.ts';
import { renameInZip, type ZipEntry, zipOf } from '../testing/zip.ts';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const LINK = 0o120777;

async function emptyPackage(world: AppWorld): Promise<string> {
  const app = (await world.call('GET', '/v3/apps')).body.resources[0]?.guid ?? (await world.createApp('demo'));
  const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
  return (await world.call('POST', '/v3/packages', { body })).body.guid;
}

async function filesOf(world: AppWorld, guid: string): Promise<Record<string, string>> {
  const content = await buffer((await world.controller.blobs.get(`packages/${guid}`)) as Readable);
  const zip = await fromBufferPromise(content);
  const files: Record<string, string> = {};
  for await (const entry of zip.eachEntry()) {
    const mode = (entry.externalFileAttributes >>> 16).toString(8);
    files[`${entry.fileName} ${mode}`] = String(await buffer(await zip.openReadStreamPromise(entry)));
  }
  return files;
}

test('bad archives fail their package, each with the reason', async () => {
  await using world = await appWorld();
  const honest: Record<string, string | ZipEntry> = { 'AAAA/passwd': 'x' };
  const cases: [string, Buffer, RegExp][] = [
    ['no zip', Buffer.from('not a zip at all, just text'), /not a readable zip file/],
    ['an empty file', Buffer.alloc(0), /not a readable zip file/],
    ['a cut zip', (await zipOf({ a: 'x'.repeat(1000) })).subarray(0, 60), /not a readable zip file/],
    ['a path upwards', renameInZip(await zipOf(honest), 'AAAA/', '/../.'), /not a readable zip file|outside/],
    ['an absolute path', renameInZip(await zipOf(honest), 'AAAA/', '/etc/'), /not a readable zip file|absolute/],
    ['a device', await zipOf({ dev: { text: '', mode: 0o020666 } }), /device or another special file/],
    ['a socket', await zipOf({ sock: { text: '', mode: 0o140777 } }), /device or another special file/],
    ['a link upwards', await zipOf({ 'a/b': { text: '../../etc', mode: LINK } }), /'a\/b' leads outside/],
    ['an absolute link', await zipOf({ b: { text: '/etc/passwd', mode: LINK } }), /'b' leads outside/],
    [
      'a path through a link',
      await zipOf({ l: { text: 'd', mode: LINK }, 'l/x': 'y' }),
      /'l\/x' is below the link 'l'/,
    ],
    ['a file that is a folder too', await zipOf({ a: 'x', 'a/b': 'y' }), /'a\/b' is below 'a', which is a file/],
    ['a long name', await zipOf({ [`a/${'n'.repeat(256)}`]: 'x' }), /a name longer than 255 bytes/],
    ['a long path', await zipOf({ [`${'abcdefg/'.repeat(512)}a`]: 'x' }), /a path longer than 4096 bytes/],
  ];
  for (const [name, bits, reason] of cases) {
    const guid = await emptyPackage(world);
    const answer = await world.sendMultipart(`/v3/packages/${guid}/upload`, { bits });
    assert.deepEqual(
      [answer.status, answer.body.errors?.[0].code],
      [400, 150001],
      `${name}: ${JSON.stringify(answer.body)}`,
    );
    assert.match(answer.body.errors[0].detail, reason, name);
    const failed = (await world.call('GET', `/v3/packages/${guid}`)).body;
    assert.equal(failed.state, 'FAILED', name);
    assert.match(failed.data.error, reason, name);
    assert.equal(await world.controller.blobs.stat(`packages/${guid}`), undefined, name);
  }
  assert.deepEqual(await readdir(world.services.scratch), [], 'nothing is left of them');
});

test('a zip bomb, too many files and too large an upload are refused', async () => {
  await using world = await appWorld();
  const limits = world.controller.config.controller as { maxUnpackedMb: number; maxPackageEntries: number };
  limits.maxUnpackedMb = 1;
  limits.maxPackageEntries = 3;
  const refuse = async (bits: Buffer, reason: RegExp) => {
    const guid = await emptyPackage(world);
    const answer = await world.sendMultipart(`/v3/packages/${guid}/upload`, { bits });
    assert.match(answer.body.errors[0].detail, reason);
  };
  await refuse(await zipOf({ zeros: '\0'.repeat(2_000_000) }), /unpacks to more than 1 MB/);
  await refuse(await zipOf({ a: '', b: '', c: '', d: '' }), /4 entries, 3 are allowed/);
});

test('links inside, executables and folders are kept as they are', async () => {
  await using world = await appWorld();
  const guid = await emptyPackage(world);
  const bits = await zipOf({ 'bin/run': { text: '#!', mode: 0o100755 }, 'bin/go': { text: 'run', mode: LINK } });
  const answer = await world.sendMultipart(`/v3/packages/${guid}/upload`, { resources: '[]', bits });
  assert.deepEqual([answer.status, answer.body.state], [200, 'READY']);
  assert.deepEqual(await filesOf(world, guid), { 'bin/run 100755': '#!', 'bin/go 120777': 'run' });
  const again = await world.sendMultipart(`/v3/packages/${guid}/upload`, { bits });
  assert.deepEqual([again.status, again.body.errors[0].code], [422, 10008]);
});

test('files that were uploaded once are matched, and put into a later package by the server', async () => {
  await using world = await appWorld();
  const text = 'a file worth keeping '.repeat(400);
  const first = await emptyPackage(world);
  await world.sendMultipart(`/v3/packages/${first}/upload`, { bits: await zipOf({ 'big.txt': text, small: 'x' }) });
  const known = { checksum: { value: sha1(text) }, size_in_bytes: text.length, path: 'dir/big.txt', mode: '0755' };
  const unknown = { ...known, checksum: { value: sha1('other') }, path: 'other' };
  const match = async () => {
    const answer = await world.call('POST', '/v3/resource_matches', { body: { resources: [known, unknown] } });
    assert.equal(answer.status, 201);
    return answer.body.resources;
  };
  const deadline = Date.now() + 5000;
  while ((await match()).length === 0 && Date.now() < deadline);
  assert.deepEqual(await match(), [known]);

  const second = await emptyPackage(world);
  const resources = JSON.stringify([known]);
  const mixed = await world.sendMultipart(`/v3/packages/${second}/upload`, {
    resources,
    bits: await zipOf({ new: 'n' }),
  });
  assert.equal(mixed.body.state, 'READY', JSON.stringify(mixed.body));
  assert.deepEqual(await filesOf(world, second), { 'new 100644': 'n', 'dir/big.txt 100755': text });

  const clashing = await emptyPackage(world);
  const bits = await zipOf({ dir: 'a file' });
  const refused = await world.sendMultipart(`/v3/packages/${clashing}/upload`, { resources, bits });
  assert.match(refused.body.errors?.[0].detail, /'dir\/big.txt' is below 'dir', which is a file/);

  const third = await emptyPackage(world);
  const only = await world.sendMultipart(`/v3/packages/${third}/upload`, { resources });
  assert.equal(only.body.state, 'READY', JSON.stringify(only.body));
  assert.deepEqual(await filesOf(world, third), { 'dir/big.txt 100755': text });
});

test('resources that the server has not got, or that lead outside, are refused', async () => {
  await using world = await appWorld();
  const send = async (resource: object) => {
    const guid = await emptyPackage(world);
    return world.sendMultipart(`/v3/packages/${guid}/upload`, { resources: JSON.stringify([resource]) });
  };
  const resource = { checksum: { value: sha1('never uploaded') }, size_in_bytes: 5000, path: 'a', mode: '0644' };
  const missing = await send(resource);
  assert.match(missing.body.errors[0].detail, /The server no longer has 'a'; push again/);
  const outside = await send({ ...resource, path: '../a' });
  assert.match(outside.body.errors[0].detail, /outside the app's folder/);
});

test('a package is copied to another app, and downloaded', async () => {
  await using world = await appWorld();
  const one = await world.createApp('one');
  const two = await world.createApp('two');
  const source = await world.upload(one, { a: 'content' });
  const body = { relationships: { app: { data: { guid: two } } } };
  const copy = await world.call('POST', `/v3/packages?source_guid=${source}`, { body });
  assert.deepEqual([copy.status, copy.body.state, copy.body.relationships.app.data.guid], [201, 'READY', two]);
  const download = await world.call('GET', `/v3/packages/${copy.body.guid}/download`);
  assert.deepEqual([download.status, download.headers['content-type']], [200, 'application/zip']);
});

test('a package that is not ready is not staged, in the words the client knows', async () => {
  await using world = await appWorld();
  const guid = await emptyPackage(world);
  const answer = await world.call('POST', '/v3/builds', { body: { package: { guid } } });
  assert.deepEqual(
    [answer.status, answer.body.errors[0].detail],
    [400, 'Bad request: Cannot stage package whose state is not ready.'],
  );
});
