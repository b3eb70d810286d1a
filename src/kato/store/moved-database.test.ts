import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../../platform/db.ts';
import { exec } from '../../platform/exec.ts';
import { postgresqlBinary } from '../../platform/postgresql.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import type { DatabaseServer } from './database-server.ts';
import { shutNodesOut } from './moved-database.ts';

test("an operator's server shuts the processes of other nodes out, though its user is no superuser", async () => {
  await using own = await temporaryDatabase<Record<string, never>>({ schema: 'public' });
  const folder = new URL(own.url).searchParams.get('host') ?? '';
  await sql`create role operator login createrole`.execute(own.db);
  await sql`create role part login`.execute(own.db);
  await sql`create role "part-n4" login in role part`.execute(own.db);
  const server: DatabaseServer = {
    database: 'postgres',
    outside: 'there',
    program: (name, args, { database, ...options }) =>
      exec([postgresqlBinary(name), '-h', folder, '-U', 'operator', '-d', database, ...args], options),
    url: () => own.url,
  };
  const open = (user: string) =>
    openDatabase<Record<string, never>>(own.url.replace('postgres@', `${user}@`), { schema: 'public', max: 1 });
  const [node, later, core] = [open('part-n4'), open('part-n4'), open('part')];
  try {
    await sql`select 1`.execute(node);
    const before = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(core);
    await shutNodesOut(server);
    await assert.rejects(sql`select 1`.execute(node), 'what it had open has ended');
    await assert.rejects(sql`select 1`.execute(later), /not permitted to log in/);
    const after = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(core);
    assert.deepEqual(after.rows, before.rows, 'the session of another user goes on');
    await shutNodesOut(server);
    await sql`alter role "part-n4" login`.execute(own.db);
    await sql`select 1`.execute(later);
  } finally {
    await node.destroy();
    await later.destroy();
    await core.destroy();
  }
});
