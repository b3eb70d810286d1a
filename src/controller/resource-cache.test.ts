import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { pruneResources } from './resource-cache.ts';
import { type AppWorld, appWorld } from './testing/app-world.ts';
import { zipOf } from './testing/zip.ts';

const BYTES = 400_000;
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const fresh = () => randomBytes(BYTES / 2).toString('hex');
const resource = (text: string, path = 'file') => ({
  checksum: { value: sha1(text) },
  size_in_bytes: BYTES,
  path,
  mode: '0644',
});

/** A world whose cache takes 1 MB. */
async function smallCache() {
  const world = await appWorld();
  (world.controller.config.controller as { resourceCacheMb: number }).resourceCacheMb = 1;
  const app = await world.createApp('demo');
  const emptyPackage = async () => {
    const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
    return (await world.call('POST', '/v3/packages', { body })).body.guid as string;
  };
  const push = async (parts: Readonly<Record<string, string | Buffer>>) =>
    world.sendMultipart(`/v3/packages/${await emptyPackage()}/upload`, parts);
  const cached = async () =>
    (await world.controller.db.selectFrom('resources').select('sha1').execute()).map((row) => row.sha1);
  /** Uploads a file, and waits until the cache is done with it. */
  const upload = async (text: string) => {
    await push({ bits: await zipOf({ file: text }) });
    await world.settle();
    assert.ok((await cached()).includes(sha1(text)));
  };
  return { world, push, upload, cached };
}

const age = (world: AppWorld, text: string, hours: number) =>
  world.controller.db
    .updateTable('resources')
    .set({ used_at: new Date(Date.now() - hours * 3_600_000) })
    .where('sha1', '=', sha1(text))
    .execute();

test('files that were not used for longest leave the cache when it is full', async () => {
  const { world, upload, cached } = await smallCache();
  await using _ = world;
  const [oldest, older, old, newest] = [fresh(), fresh(), fresh(), fresh()];
  for (const text of [oldest, older, old]) await upload(text);
  await age(world, oldest, 3);
  await age(world, older, 2);
  await age(world, old, 1);
  await world.call('POST', '/v3/resource_matches', { body: { resources: [resource(oldest)] } });
  await upload(newest);
  assert.deepEqual((await cached()).sort(), [sha1(oldest), sha1(newest)].sort(), 'a match is a use');
  assert.equal(await world.controller.blobs.stat(`resources/${sha1(old)}`), undefined);
  assert.ok(await world.controller.blobs.stat(`resources/${sha1(newest)}`));
});

test('what an upload was promised stays until it is there, though the cache is over its limit', async () => {
  const { world, push, upload, cached } = await smallCache();
  await using _ = world;
  const texts = [fresh(), fresh(), fresh(), fresh()];
  for (const text of texts) await upload(text);
  for (const text of texts) await age(world, text, 1);
  const asked = texts.map((text, at) => resource(text, `file${at}`));
  const { body } = await world.call('POST', '/v3/resource_matches', { body: { resources: asked } });
  assert.equal(body.resources.length, 4);
  await pruneResources(world.controller);
  assert.equal((await cached()).length, 4);
  const answer = await push({ resources: JSON.stringify(body.resources) });
  assert.deepEqual([answer.status, answer.body.state], [200, 'READY']);
});

test('an upload that relies on a file that is gone is told so, and the same push as a whole works', async () => {
  const { world, push, upload, cached } = await smallCache();
  await using _ = world;
  const text = fresh();
  await upload(text);
  const resources = JSON.stringify([resource(text)]);
  await world.controller.blobs.delete(`resources/${sha1(text)}`);
  for (let attempt = 0; attempt < 2; attempt++) {
    const { status, body } = await push({ resources });
    assert.equal(status, 422);
    assert.match(body.errors[0].detail, /The server no longer has 'file'; push again to upload it/);
    assert.deepEqual(await cached(), [], 'it is not promised to anyone else');
  }
  assert.equal((await push({ bits: await zipOf({ file: text }) })).body.state, 'READY');
});

test('a cache of no size keeps nothing', async () => {
  const { world, push, cached } = await smallCache();
  await using _ = world;
  (world.controller.config.controller as { resourceCacheMb: number }).resourceCacheMb = 0;
  assert.equal((await push({ bits: await zipOf({ file: fresh() }) })).body.state, 'READY');
  await world.settle();
  assert.deepEqual(await cached(), []);
});
