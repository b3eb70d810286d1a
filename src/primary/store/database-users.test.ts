import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../../platform/db.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import { allowDatabaseUser, banDatabaseUsers } from './database-users.ts';
import type { PrimarySchema } from './schema.ts';

test('a node that is shut out loses the connections that it has open, and gets no new ones', async () => {
  await using server = await temporaryDatabase<PrimarySchema>({ schema: 'public' });
  await sql`create role primary_here login createrole`.execute(server.db);
  await sql`create role owner`.execute(server.db);
  const open = (user: string) =>
    openDatabase<PrimarySchema>(server.url.replace('postgres@', `${user}@`), { schema: 'public', max: 2 });
  const primary = open('primary_here');
  const user = { name: 'owner-n1', member: 'owner', password: '0123456789abcdef' };
  await allowDatabaseUser(primary, user);
  await allowDatabaseUser(primary, { ...user, name: 'owner-n11' });
  const [gone, later, other] = [open('owner-n1'), open('owner-n1'), open('owner-n11')];
  try {
    await sql`select 1`.execute(gone);
    await sql`select 1`.execute(other);
    await banDatabaseUsers(primary, 1);
    const { rows } = await sql<{ name: string }>`
      select usename as name from pg_stat_activity where usename like 'owner-n%'`.execute(server.db);
    assert.deepEqual(rows, [{ name: 'owner-n11' }]);
    await assert.rejects(sql`select 1`.execute(gone), 'what it had open has ended');
    await assert.rejects(sql`select 1`.execute(later), /not permitted to log in/);
    await sql`select 1`.execute(other);
    await banDatabaseUsers(primary, 1);
    await allowDatabaseUser(primary, user);
    await sql`select 1`.execute(later);
  } finally {
    for (const db of [primary, gone, later, other]) await db.destroy();
  }
});
