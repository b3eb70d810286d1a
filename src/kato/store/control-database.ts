import { exec } from '../../platform/exec.ts';
import type { Paths } from '../../platform/paths.ts';
import { postgresqlBinary, postgresqlPaths } from '../../platform/postgresql.ts';
import { getUser } from '../../platform/system-user.ts';

const DATABASE = 'stackato';
/** Schemas and the users that own them. */
const OWNERS: Readonly<Record<string, string>> = {
  primary: 'primary',
  controller: 'controller',
  aok: 'aok',
  health: 'health_manager',
};

/**
 * Makes the database, its users with these passwords, and the schemas that they own; repeating it changes nothing.
 *
 * @param options `isCluster`: the primary makes users for the processes of other nodes
 */
export async function prepareControlDatabase(
  paths: Paths,
  passwords: Readonly<Record<string, string>>,
  { isCluster }: { isCluster: boolean },
): Promise<void> {
  const names = Object.keys(passwords);
  await run(paths, 'postgres', [
    ...names.map((name) => only(`create role ${quoted(name)} login`, `from pg_roles where rolname = '${name}'`)),
    ...names.map((name) => `alter role ${quoted(name)} with login password '${password(passwords[name])}';`),
    `alter role "primary" ${isCluster ? 'createrole' : 'nocreaterole'};`,
    only(`create database ${DATABASE}`, `from pg_database where datname = '${DATABASE}'`),
    `revoke all on database ${DATABASE} from public;`,
    `revoke all on database postgres from public;`,
    ...names.map((name) => `grant connect on database ${DATABASE} to ${quoted(name)};`),
    // A schema's owner says "create schema if not exists", which asks for this right even when it exists.
    ...Object.values(OWNERS).map((name) => `grant create on database ${DATABASE} to ${quoted(name)};`),
  ]);
  await run(paths, DATABASE, [
    'revoke all on schema public from public;',
    ...Object.entries(OWNERS).map(
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

async function run(paths: Paths, database: string, statements: readonly string[]): Promise<void> {
  const { uid, gid } = await getUser('postgres');
  const argv = [
    postgresqlBinary('psql'),
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    postgresqlPaths(paths).socketFolder,
    '-d',
    database,
  ];
  await exec(argv, { uid, gid, cwd: '/', input: `set client_min_messages = warning;\n${statements.join('\n')}\n` });
}
