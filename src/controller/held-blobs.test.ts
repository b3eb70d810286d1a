import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { sql } from 'kysely';
import { memoryBlobStore } from '../blobstore/memory.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { heldBlobs, sweepBlobsNow } from './held-blobs.ts';
import { controllerMigrations, controllerSchemaName } from './store/migrations/list.ts';
import type { ControllerSchema } from './store/schema.ts';

const keysOf = async (blobs: { list(prefix: string): AsyncIterable<string> }) => {
  const keys: string[] = [];
  for await (const key of blobs.list('')) keys.push(key);
  return keys.sort();
};

test('what is deleted while an export holds the blobs goes when it lets go, or its hold runs out', async () => {
  await using database = await temporaryDatabase<ControllerSchema>({
    schema: controllerSchemaName,
    migrations: controllerMigrations,
  });
  const { db } = database;
  const under = memoryBlobStore();
  const blobs = heldBlobs(under, db);
  const put = (key: string) => blobs.put(key, Readable.from([Buffer.from(key)]));
  for (const key of ['droplets/a', 'droplets/b', 'droplets/c']) await put(key);
  await blobs.delete('droplets/c');
  assert.deepEqual(await keysOf(under), ['droplets/a', 'droplets/b']);

  await sql`insert into blob_holds (id, held_until) values ('x', now() + interval '1 minute')`.execute(db);
  await blobs.delete('droplets/a');
  await blobs.delete('droplets/b');
  assert.equal(await sweepBlobsNow({ blobs: under, db }), 0);
  assert.deepEqual(await keysOf(under), ['droplets/a', 'droplets/b']);
  await put('droplets/b');

  await sql`update blob_holds set held_until = now()`.execute(db);
  assert.equal(await sweepBlobsNow({ blobs: under, db }), 1);
  assert.deepEqual(await keysOf(under), ['droplets/b'], 'what was stored again stays');
});
