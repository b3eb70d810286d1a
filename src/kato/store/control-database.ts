import { type DatabaseServer, runSql } from './database-server.ts';

/** Schemas and the users that own them. */
export const schemaOwners: Readonly<Record<string, string>> = {
  primary: 'primary',
  controller: 'controller',
  aok: 'aok',
  health: 'health_manager',
};

/**
 * Makes the database, its users with these passwords, and the schemas that they own; repeating it changes nothing.
 *
 * @param options `isCluster`: the primary makes users for the processes of other nodes; `database`: another than the
 *   server's control database
 */
export async function prepareControlDatabase(
  server: DatabaseServer,
  passwords: Readonly<Record<string, string>>,
  { isCluster, database = server.database }: { isCluster: boolean; database?: string },
): Promise<void> {
  const names = Object.keys(passwords);
  await runSql(server, 'postgres', [
    ...names.map((name) => only(`create role ${quoted(name)} login`, `from pg_roles where rolname = '${name}'`)),
    ...names.map((name) => `alter role ${quoted(name)} with login password '${password(passwords[name])}';`),
    // Only a member of a role may give it things, unless they may do everything.
    ...(server.outside === undefined ? [] : names.map((name) => `grant ${quoted(name)} to current_user;`)),
    `alter role "primary" ${isCluster ? 'createrole' : 'nocreaterole'};`,
    only(`create database ${database}`, `from pg_database where datname = '${database}'`),
    `revoke all on database ${database} from public;`,
    `revoke all on database postgres from public;`,
    ...names.map((name) => `grant connect on database ${database} to ${quoted(name)};`),
    // A schema's owner says "create schema if not exists", which asks for this right even when it exists.
    ...Object.values(schemaOwners).map((name) => `grant create on database ${database} to ${quoted(name)};`),
  ]);
  await runSql(server, database, [
    'revoke all on schema public from public;',
    ...Object.entries(schemaOwners).map(
      ([schema, user]) => `create schema if not exists ${quoted(schema)} authorization ${quoted(user)};`,
    ),
  ]);
}

function only(statement: string, condition: string): string {
  return `select '${statement}' where not exists (select ${condition}) \\gexec`;
}

function quoted(name: string): string {
  if (!/^[a-z_]+$/.test(name)) throw new Error(`'${name}' is no name for a database user`);
  return `"${name}"`;
}

function password(text: string | undefined): string {
  if (text === undefined || !/^[0-9a-f]{16,}$/.test(text)) throw new Error('a database password must be hexadecimal');
  return text;
}
