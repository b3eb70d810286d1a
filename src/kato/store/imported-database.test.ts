import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../../platform/db.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { postgresqlBinary } from '../../platform/postgresql.ts';
import { secretBox } from '../../platform/secret-box.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import { prepareControlDatabase } from './control-database.ts';
import { type DatabaseServer, runSql } from './database-server.ts';
import {
  allSchemas,
  copySchema,
  dropReplacedDatabase,
  fillImportDatabase,
  importDatabase,
  switchDatabases,
} from './imported-database.ts';
import { adaptController, countContents, listBlobKeys, resealSchemas } from './imported-rows.ts';
import { dumpDatabase, holdBlobs } from './snapshot.ts';

const signal = new AbortController().signal;
const passwords = Object.fromEntries(
  ['primary', 'controller', 'aok', 'health_manager'].map((name, at) => [name, String(at).repeat(16)]),
);

/** The server that belongs to the tests; `control` is the platform's database on it. */
function serverOf(url: string, control: string): DatabaseServer {
  const folder = new URL(url).searchParams.get('host') ?? '';
  return {
    database: control,
    program: (name, args, { database, ...options }) =>
      exec([postgresqlBinary(name), '-h', folder, '-U', 'postgres', '-d', database, ...args], options),
    url: (user, database = control) => `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(folder)}`,
  };
}

const tables = `
  create table blob_holds (id text primary key, held_until timestamptz not null);
  create table blob_deletions (key text primary key, noted_at timestamptz not null default now());
  create table packages (guid text primary key, state text, sha256 text);
  create table droplets (guid text primary key, state text, sha256 text);
  create table buildpacks (guid text primary key, state text, sha256 text, is_built_in boolean);
  create table apps (guid text primary key, name text, env_sealed text);
  create table resources (sha1 text primary key);
  create table domains (guid text primary key, name text, updated_at timestamptz);
  create table routes (guid text primary key, domain_guid text, host text, path text, port integer,
    updated_at timestamptz)`;

const key = (letter: string) => Buffer.alloc(32, letter).toString('base64');

const rowsOf = async (server: DatabaseServer, database: string, query: string): Promise<string[]> => {
  const db = openDatabase<unknown>(server.url('controller', database), { schema: 'controller', max: 1 });
  try {
    return (await sql.raw<{ x: string }>(query).execute(db)).rows.map(({ x }) => x);
  } finally {
    await db.destroy();
  }
};

const administer = (server: DatabaseServer, statement: string) => runSql(server, server.database, [`${statement};`]);

test('a dump fills the import database, is adapted, and takes the place of the control database', async () => {
  await using scratch = await temporaryDatabase<unknown>({ schema: 'public' });
  await using folder = await temporaryDirectory('import');
  const server = serverOf(scratch.url, 'control_test');
  await prepareControlDatabase(server, passwords, { isCluster: false });
  await rowsOf(server, server.database, 'select 1 as x');
  for (const statement of tables.split(';')) await rowsOf(server, server.database, statement);
  for (const statement of [
    `insert into packages values ('p1', 'READY', 'x'), ('p2', 'READY', 'y'), ('p3', 'FAILED', null)`,
    `insert into droplets values ('d1', 'STAGED', 'x'), ('d2', 'EXPIRED', null)`,
    `insert into buildpacks values ('b1', 'READY', null, true), ('b2', 'READY', 'x', false)`,
    `insert into resources values ('r1')`,
    `insert into apps values ('a', 'shop', '${secretBox(key('o')).seal('{"TOKEN":"x"}')}'), ('b', 'welcome', null)`,
    `insert into domains values ('o', 'Old.example'), ('n', 'new.example')`,
    `insert into routes values ('1', 'o', 'app', '', null), ('2', 'o', 'www', '', null), ('3', 'n', 'www', '', null)`,
  ]) {
    await rowsOf(server, server.database, statement);
  }

  const path = join(folder.path, 'dump');
  {
    await using hold = await holdBlobs(server);
    hold.check();
    await using file = await open(path, 'wx');
    const { blobs } = await dumpDatabase(server, {
      fd: file.fd,
      kinds: ['packages', 'droplets', 'buildpacks'],
      schemas: allSchemas,
      signal,
    });
    assert.deepEqual(blobs.map(({ key }) => key).sort(), [
      'buildpacks/b2',
      'droplets/d1',
      'packages/p1',
      'packages/p2',
    ]);
    assert.deepEqual(await rowsOf(server, server.database, 'select count(*)::text as x from blob_holds'), ['1']);
  }
  assert.deepEqual(await rowsOf(server, server.database, 'select id as x from blob_holds'), []);

  await administer(
    server,
    `create table aok.users (id text primary key); alter table aok.users owner to aok;
    insert into aok.users values ('ann')`,
  );
  await rowsOf(server, server.database, `insert into packages values ('later', 'READY', 'z')`);
  // Twice: an import that was cut short begins anew.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await using file = await open(path, 'r');
    await fillImportDatabase(server, passwords, { dumpFd: file.fd, isCluster: false, schemas: allSchemas, signal });
  }
  assert.equal(await resealSchemas(server, { schemas: allSchemas, from: key('o'), to: key('n') }), 1);
  const [sealed = ''] = await rowsOf(server, importDatabase, `select env_sealed as x from apps where guid = 'a'`);
  assert.equal(secretBox(key('n')).open(sealed), '{"TOKEN":"x"}');
  const found = await adaptController(server, {
    domains: { from: 'old.example', to: 'new.example' },
    missing: ['packages/p2', 'buildpacks/b2', 'resources/r1', 'droplets/d2'],
  });
  assert.deepEqual(found, { expired: 2, keptRoutes: 1 });
  assert.deepEqual(await rowsOf(server, importDatabase, `select guid || ' ' || state as x from packages order by 1`), [
    'p1 READY',
    'p2 EXPIRED',
    'p3 FAILED',
  ]);
  assert.deepEqual(await rowsOf(server, importDatabase, `select guid || domain_guid as x from routes order by 1`), [
    '1n',
    '2o',
    '3n',
  ]);
  assert.deepEqual(await rowsOf(server, importDatabase, 'select sha1 as x from resources'), []);
  const kinds = ['packages', 'resources'];
  assert.deepEqual((await listBlobKeys(server, server.database, kinds)).sort(), [
    'packages/later',
    'packages/p1',
    'packages/p2',
    'resources/r1',
  ]);
  assert.deepEqual(await listBlobKeys(server, importDatabase, kinds), ['packages/p1']);
  assert.deepEqual(await countContents(server), { users: 1, apps: 1 });

  await using writing = await open(join(folder.path, 'aok'), 'wx');
  await using reading = await open(join(folder.path, 'aok'), 'r');
  await copySchema(server, 'aok', { writeFd: writing.fd, readFd: reading.fd, signal });
  await switchDatabases(server);
  assert.deepEqual(await rowsOf(server, server.database, `select guid as x from packages where guid = 'later'`), []);
  await switchDatabases(server);
  await dropReplacedDatabase(server);
  assert.deepEqual(await rowsOf(server, server.database, `select state as x from packages where guid = 'p2'`), [
    'EXPIRED',
  ]);
  assert.deepEqual(await administer(server, 'select id from aok.users'), 'ann');
  await runSql(server, 'postgres', [`drop database ${server.database} with (force);`]);
});
