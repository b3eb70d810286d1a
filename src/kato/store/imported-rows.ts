import { sql } from 'kysely';
import { type Db, openDatabase } from '../../platform/db.ts';
import { secretBox } from '../../platform/secret-box.ts';
import { schemaOwners } from './control-database.ts';
import type { DatabaseServer } from './database-server.ts';
import { importDatabase } from './imported-database.ts';
import { listReferredBlobs } from './snapshot.ts';

const BATCH = 500;

/** What an import makes of the controller's tables; tells what it found. */
export async function adaptController(
  server: DatabaseServer,
  options: { domains: { from: string; to: string } | undefined; missing: readonly string[] },
): Promise<{ expired: number; keptRoutes: number }> {
  return using(server, { database: importDatabase, schema: 'controller' }, async (db) => {
    await sql`delete from blob_holds`.execute(db);
    await sql`delete from blob_deletions`.execute(db);
    const expired = await expireMissing(db, options.missing);
    const keptRoutes = options.domains === undefined ? 0 : await moveDomain(db, options.domains);
    return { expired, keptRoutes };
  });
}

/** Keys of blobs of these kinds that a database speaks of. */
export async function listBlobKeys(
  server: DatabaseServer,
  database: string,
  kinds: readonly string[],
): Promise<string[]> {
  return using(server, { database, schema: 'controller' }, async (db) =>
    (await listReferredBlobs(db, kinds)).map(({ key }) => key),
  );
}

/** Rows whose blob is not there any more say so, as those of apps with many droplets do. */
async function expireMissing(db: Db<unknown>, missing: readonly string[]): Promise<number> {
  let expired = 0;
  for (let at = 0; at < missing.length; at += BATCH) {
    const keys = missing.slice(at, at + BATCH);
    const idsOf = (kind: string) =>
      keys.filter((key) => key.startsWith(`${kind}/`)).map((key) => key.slice(kind.length + 1));
    const changes = [
      await sql`update packages set state = 'EXPIRED' where state = 'READY' and guid = any(${idsOf('packages')})`.execute(
        db,
      ),
      await sql`update droplets set state = 'EXPIRED' where state = 'STAGED' and guid = any(${idsOf('droplets')})`.execute(
        db,
      ),
      await sql`update buildpacks set state = 'AWAITING_UPLOAD' where state = 'READY' and not is_built_in
        and guid = any(${idsOf('buildpacks')})`.execute(db),
    ];
    await sql`delete from resources where sha1 = any(${idsOf('resources')})`.execute(db);
    expired += changes.reduce((sum, { numAffectedRows = 0n }) => sum + Number(numAffectedRows), 0);
  }
  return expired;
}

/** The platform's domain becomes the new one. Routes that the new one has already stay where they are; gives how many. */
async function moveDomain(db: Db<unknown>, { from, to }: { from: string; to: string }): Promise<number> {
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

/** Seals everything that is sealed in these schemas of the import database with another key; gives how many values. */
export async function resealSchemas(
  server: DatabaseServer,
  options: { schemas: readonly string[]; from: string; to: string },
): Promise<number> {
  const [from, to] = [secretBox(options.from), secretBox(options.to)];
  let count = 0;
  for (const schema of options.schemas) {
    const user = schemaOwners[schema] ?? schema;
    await using(server, { database: importDatabase, schema, user }, async (db) => {
      for (const column of await listSealedColumns(db, schema)) {
        await db.transaction().execute(async (tx) => {
          const [table, name] = [sql.id(schema, column.table), sql.id(column.name)];
          const { rows } = await sql<{ id: string; sealed: string }>`
            select ctid::text as id, ${name} as sealed from ${table} where ${name} is not null`.execute(tx);
          for (const { id, sealed } of rows) {
            await sql`update ${table} set ${name} = ${to.seal(from.open(sealed))} where ctid = ${id}::tid`.execute(tx);
          }
          count += rows.length;
        });
      }
    });
  }
  return count;
}

/** By their names: columns of sealed values have the word in theirs. */
async function listSealedColumns(db: Db<unknown>, schema: string): Promise<{ table: string; name: string }[]> {
  const { rows } = await sql<{ table: string; name: string }>`
    select table_name as table, column_name as name from information_schema.columns
    where table_schema = ${schema} and column_name like '%sealed%' and data_type = 'text' order by 1, 2`.execute(db);
  return rows;
}

/** Gives the import database these settings. */
export async function putSettings(server: DatabaseServer, settings: unknown): Promise<void> {
  await using(server, { database: importDatabase, schema: 'primary' }, (db) =>
    sql`update cluster_config set revision = revision + 1, config = ${JSON.stringify(settings)}::jsonb,
      updated_at = now()`.execute(db),
  );
}

/** What the control database holds besides what set-up makes: users and apps, in numbers. */
export async function countContents(server: DatabaseServer): Promise<{ users: number; apps: number }> {
  const count = (user: string, query: string) =>
    using(server, { database: server.database, schema: user }, async (db) => {
      const { rows } = await sql.raw<{ n: number }>(query).execute(db);
      return rows[0]?.n ?? 0;
    });
  return {
    users: await count('aok', 'select count(*)::int as n from users'),
    apps: await count('controller', "select count(*)::int as n from apps where name <> 'welcome'"),
  };
}

async function using<T>(
  server: DatabaseServer,
  { database, schema, user = schema }: { database: string; schema: string; user?: string },
  work: (db: Db<unknown>) => Promise<T>,
): Promise<T> {
  const db = openDatabase<unknown>(server.url(user, database), { schema, max: 1 });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
