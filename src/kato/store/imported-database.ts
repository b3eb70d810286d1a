import { prepareControlDatabase, schemaOwners } from './control-database.ts';
import { type DatabaseServer, runSql } from './database-server.ts';

/** The database that an import fills, until it takes the place of the control database. */
export const importDatabase = 'stackato_import';
/** What was the control database before. */
export const replacedDatabase = 'stackato_replaced';

const RESTORE_TIMEOUT_MS = 6 * 3_600_000;

/** All schemas that belong to the platform's own processes. */
export const allSchemas: readonly string[] = Object.keys(schemaOwners);

/** Fills the import database with these schemas of a dump; what an earlier import left in it goes first. */
export async function fillImportDatabase(
  server: DatabaseServer,
  passwords: Readonly<Record<string, string>>,
  options: { dumpFd: number; isCluster: boolean; schemas: readonly string[]; signal: AbortSignal },
): Promise<void> {
  await runSql(server, 'postgres', [`drop database if exists ${importDatabase} with (force);`]);
  await prepareControlDatabase(server, passwords, { isCluster: options.isCluster, database: importDatabase });
  await restore(server, options.schemas, { fd: options.dumpFd, signal: options.signal });
}

/** Copies one schema of the control database as it is to the import database, through an open file. */
export async function copySchema(
  server: DatabaseServer,
  schema: string,
  options: { writeFd: number; readFd: number; signal: AbortSignal },
): Promise<void> {
  const { signal } = options;
  await server.program('pg_dump', ['--format=custom', `--schema=${schema}`], {
    ...{ database: server.database, stdoutFd: options.writeFd, timeoutMs: RESTORE_TIMEOUT_MS, signal },
  });
  await restore(server, [schema], { fd: options.readFd, signal });
}

/** Of a schema that is named pg_restore makes what is in it, not the schema itself. */
async function restore(
  server: DatabaseServer,
  schemas: readonly string[],
  { fd, signal }: { fd: number; signal: AbortSignal },
): Promise<void> {
  if (schemas.length === 0) return;
  const args = ['--exit-on-error', '--no-privileges', ...schemas.map((schema) => `--schema=${schema}`)];
  await server.program('pg_restore', args, {
    ...{ database: importDatabase, stdinFd: fd, timeoutMs: RESTORE_TIMEOUT_MS, signal },
  });
}

/** Puts the import database in the control database's place; after an interruption it goes on where it was. */
export async function switchDatabases(server: DatabaseServer): Promise<void> {
  const exists = async (name: string) =>
    (await runSql(server, 'postgres', [`select 1 from pg_database where datname = '${name}';`])) === '1';
  const rename = (from: string, to: string) =>
    runSql(server, 'postgres', [
      `alter database ${from} with allow_connections false;`,
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${from}';`,
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
