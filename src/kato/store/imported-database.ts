import { sql } from 'kysely';
import { openDatabase } from '../../platform/db.ts';
import { prepareControlDatabase, schemaOwners } from './control-database.ts';
import { type DatabaseServer, runSql } from './database-server.ts';

/** The database that an import fills, until it takes the place of the control database. */
export const importDatabase = 'stackato_import';
/** What was the control database before. */
export const replacedDatabase = 'stackato_replaced';

const RESTORE_TIMEOUT_MS = 6 * 3_600_000;
const BATCH = 5000;

/** Fills the import database from a dump; what an earlier import left in it goes first. */
export async function fillImportDatabase(
  server: DatabaseServer,
  passwords: Readonly<Record<string, string>>,
  options: { dumpFd: number; isCluster: boolean; schemas: readonly string[]; signal: AbortSignal },
): Promise<void> {
  await runSql(server, 'postgres', [`drop database if exists ${importDatabase} with (force);`]);
  await prepareControlDatabase(server, passwords, { isCluster: options.isCluster, database: importDatabase });
  // Of a schema that is named it restores what is in it, not the schema itself.
  await server.program(
    'pg_restore',
    ['--exit-on-error', '--no-privileges', ...options.schemas.map((schema) => `--schema=${schema}`)],
    { database: importDatabase, stdinFd: options.dumpFd, timeoutMs: RESTORE_TIMEOUT_MS, signal: options.signal },
  );
}

/** Copies one schema of the control database as it is, through an open file. */
export async function copySchema(
  server: DatabaseServer,
  schema: string,
  options: { writeFd: number; readFd: number; signal: AbortSignal },
): Promise<void> {
  const dump = ['--format=custom', `--schema=${schema}`];
  const { signal } = options;
  await server.program('pg_dump', dump, { database: server.database, stdoutFd: options.writeFd, signal });
  await server.program('pg_restore', ['--exit-on-error', '--no-privileges', `--schema=${schema}`], {
    database: importDatabase,
    stdinFd: options.readFd,
    signal,
  });
}

/** All schemas that belong to the platform's own processes. */
export const allSchemas: readonly string[] = Object.keys(schemaOwners);

/** What an import makes of the controller's tables; tells what it found. */
export async function adaptController(
  server: DatabaseServer,
  options: { domains: { from: string; to: string } | undefined; present: ReadonlySet<string> | undefined },
): Promise<{ expired: number; keptRoutes: number }> {
  const db = openDatabase<unknown>(server.url('controller', importDatabase), { schema: 'controller', max: 1 });
  try {
    await sql`delete from blob_holds`.execute(db);
    await sql`delete from blob_deletions`.execute(db);
    const expired = options.present === undefined ? 0 : await expireMissing(db, options.present);
    const keptRoutes = options.domains === undefined ? 0 : await moveDomain(db, options.domains);
    return { expired, keptRoutes };
  } finally {
    await db.destroy();
  }
}

type Database = ReturnType<typeof openDatabase<unknown>>;

/** Rows whose blob is not there any more say so, as those of apps with many droplets do. */
async function expireMissing(db: Database, present: ReadonlySet<string>): Promise<number> {
  await sql`create temporary table present (key text primary key)`.execute(db);
  const keys = [...present];
  for (let at = 0; at < keys.length; at += BATCH) {
    await sql`insert into present select unnest(${keys.slice(at, at + BATCH)}::text[])`.execute(db);
  }
  const missing = (kind: string) => sql`not exists (select 1 from present where key = ${`${kind}/`} || guid)`;
  const changes = [
    await sql`update packages set state = 'EXPIRED' where state = 'READY' and ${missing('packages')}`.execute(db),
    await sql`update droplets set state = 'EXPIRED' where state = 'STAGED' and ${missing('droplets')}`.execute(db),
    await sql`update buildpacks set state = 'AWAITING_UPLOAD' where state = 'READY' and not is_built_in
      and ${missing('buildpacks')}`.execute(db),
  ];
  await sql`delete from resources where not exists (select 1 from present where key = 'resources/' || sha1)`.execute(
    db,
  );
  await sql`drop table present`.execute(db);
  return changes.reduce((sum, { numAffectedRows = 0n }) => sum + Number(numAffectedRows), 0);
}

/** The platform's domain becomes the new one. Routes that the new one has already stay where they are; gives how many. */
async function moveDomain(db: Database, { from, to }: { from: string; to: string }): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const find = async (name: string) =>
      (await sql<{ guid: string }>`select guid from domains where lower(name) = lower(${name})`.execute(tx)).rows[0];
    const [old, known] = [await find(from), await find(to)];
    if (old === undefined) return 0;
    if (known === undefined) {
      await sql`update domains set name = ${to}, updated_at = now() where guid = ${old.guid}`.execute(tx);
      return 0;
    }
    await sql`update routes r set domain_guid = ${known.guid}, updated_at = now() where r.domain_guid = ${old.guid}
      and not exists (select 1 from routes o where o.domain_guid = ${known.guid} and o.host = r.host
        and o.path = r.path and o.port is not distinct from r.port)`.execute(tx);
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from routes where domain_guid = ${old.guid}`.execute(tx);
    const left = rows[0]?.n ?? 0;
    if (left === 0) await sql`delete from domains where guid = ${old.guid}`.execute(tx);
    return left;
  });
}

/** Gives the import database these settings. */
export async function putSettings(server: DatabaseServer, settings: unknown): Promise<void> {
  const db = openDatabase<unknown>(server.url('primary', importDatabase), { schema: 'primary', max: 1 });
  try {
    await sql`update cluster_config set revision = revision + 1, config = ${JSON.stringify(settings)}::jsonb,
      updated_at = now()`.execute(db);
  } finally {
    await db.destroy();
  }
}

/** Keys of blobs that the control database speaks of and the import database does not. */
export async function listForsakenBlobs(server: DatabaseServer): Promise<string[]> {
  const keysIn = async (database: string): Promise<string[]> => {
    const db = openDatabase<unknown>(server.url('controller', database), { schema: 'controller', max: 1 });
    try {
      const { rows } = await sql<{ key: string }>`
        select 'packages/' || guid as key from packages union all select 'droplets/' || guid from droplets
        union all select 'buildpacks/' || guid from buildpacks where not is_built_in
        union all select 'resources/' || sha1 from resources`.execute(db);
      return rows.map(({ key }) => key);
    } finally {
      await db.destroy();
    }
  };
  const kept = new Set(await keysIn(importDatabase));
  return (await keysIn(server.database)).filter((key) => !kept.has(key));
}

/** Puts the import database in the control database's place; after an interruption it goes on where it was. */
export async function switchDatabases(server: DatabaseServer): Promise<void> {
  const exists = async (name: string) =>
    (await runSql(server, 'postgres', [`select 1 from pg_database where datname = '${name}';`])) === '1';
  const rename = (from: string, to: string) =>
    runSql(server, 'postgres', [
      `alter database ${from} with allow_connections false;`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${from}';`,
      `alter database ${from} rename to ${to};`,
    ]);
  if (await exists(importDatabase)) {
    if (await exists(server.database)) {
      await runSql(server, 'postgres', [`drop database if exists ${replacedDatabase} with (force);`]);
      await rename(server.database, replacedDatabase);
    }
    await rename(importDatabase, server.database);
  }
  await runSql(server, 'postgres', [`alter database ${server.database} with allow_connections true;`]);
}

/** The database that was replaced is needed no longer. */
export async function dropReplacedDatabase(server: DatabaseServer): Promise<void> {
  await runSql(server, 'postgres', [`drop database if exists ${replacedDatabase} with (force);`]);
}
