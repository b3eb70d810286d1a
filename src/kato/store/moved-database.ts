import type { DatabaseServerFacts } from '../../core/database-url.ts';
import { schemaOwners } from './control-database.ts';
import { type DatabaseServer, runSql } from './database-server.ts';

const schemas = Object.keys(schemaOwners);

/** What a server tells of itself, and of a control database on it. */
export async function readServerFacts(server: DatabaseServer): Promise<DatabaseServerFacts> {
  const users = Object.values(schemaOwners).map((name) => `'${name}'`);
  const text = await runSql(server, 'postgres', [
    `select json_build_object(
      'version', current_setting('server_version_num')::int,
      'mayMakeRoles', (select rolcreaterole or rolsuper from pg_roles where rolname = current_user),
      'mayMakeDatabases', (select rolcreatedb or rolsuper from pg_roles where rolname = current_user),
      'owner', (select coalesce(shobj_description(oid, 'pg_database'), '') from pg_database where datname = '${server.database}'),
      'users', (select coalesce(json_agg(rolname), '[]') from pg_roles where rolname in (${users.join(', ')})));`,
  ]);
  const { owner, ...facts } = JSON.parse(text) as DatabaseServerFacts & { owner: string | null };
  return { ...facts, owner: owner ?? undefined };
}

/** Signs a database, so that only its own platform takes it for its own. */
export async function signDatabase(server: DatabaseServer, database: string, owner: string): Promise<void> {
  await runSql(server, 'postgres', [`comment on database ${database} is '${owner}';`]);
}

/** Lets processes in to the control database, or keeps them out; those who are in are ended. */
export async function allowConnections(server: DatabaseServer, isAllowed: boolean): Promise<void> {
  await runSql(server, 'postgres', [
    `alter database ${server.database} with allow_connections ${isAllowed};`,
    ...(isAllowed
      ? []
      : [`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${server.database}';`]),
  ]);
}

/** Shuts the processes of other nodes out of a server, and ends what they have open, until the primary lets them in again. */
export async function shutNodesOut(server: DatabaseServer): Promise<void> {
  // Only a member may end what a role has open.
  await runSql(server, 'postgres', [
    `do $$ declare one text; begin
      for one in select rolname from pg_roles where rolname ~ '^[a-z_]+-n[0-9]+$' loop
        execute format('alter role %I nologin', one);
        execute format('grant %I to current_user', one);
        perform pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = one;
        execute format('revoke %I from current_user', one);
      end loop;
    end $$;`,
  ]);
}

/** Writes every schema of the control database to an open file. */
export async function dumpSchemas(server: DatabaseServer, options: { fd: number; signal: AbortSignal }): Promise<void> {
  await server.program('pg_dump', ['--format=custom', ...schemas.map((schema) => `--schema=${schema}`)], {
    ...{ database: server.database, stdoutFd: options.fd, timeoutMs: 6 * 3_600_000, signal: options.signal },
  });
}

/** Rows of every table, by `schema.table`. */
export async function countRows(server: DatabaseServer, database: string): Promise<Record<string, number>> {
  const list = schemas.map((schema) => `'${schema}'`).join(', ');
  const tables = await runSql(server, database, [
    `select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
      where table_schema in (${list}) and table_type = 'BASE TABLE' order by 1;`,
  ]);
  const names = tables.split('\n').filter(Boolean);
  if (names.length === 0) return {};
  const counts = await runSql(
    server,
    database,
    names.map((name) => `select '${name.replaceAll("'", "''")}=' || count(*) from ${name};`),
  );
  return Object.fromEntries(counts.split('\n').map((line) => [line.split('=')[0] ?? '', Number(line.split('=')[1])]));
}
