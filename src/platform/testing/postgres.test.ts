import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDatabase } from './postgres.ts';

test('each temporary database is migrated, private and gone when disposed', async () => {
  const ran: string[] = [];
  const migrations = [{ name: '0001-nothing', up: async () => void ran.push('0001-nothing') }];
  const first = await temporaryDatabase<{ migrations: { name: string } }>({ schema: 'one', migrations });
  await using second = await temporaryDatabase<{ migrations: { name: string } }>({ schema: 'one', migrations });
  assert.deepEqual(ran, ['0001-nothing'], 'the migrations ran once for both');
  await first.db.insertInto('migrations').values({ name: 'only here' }).execute();
  const names = async (database: typeof first) =>
    (await database.db.selectFrom('migrations').select('name').execute()).map((row) => row.name);
  assert.deepEqual((await names(first)).sort(), ['0001-nothing', 'only here']);
  assert.deepEqual(await names(second), ['0001-nothing']);
  await first[Symbol.asyncDispose]();
  await assert.rejects(names(first));
});
