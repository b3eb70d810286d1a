import { join } from 'node:path';
import { exec } from './exec.ts';
import type { Paths } from './paths.ts';

/** Version of the Debian package. */
export const postgresqlVersion = '15';
/** Name of the control database. */
export const controlDatabase = 'stackato';

const BIN = `/usr/lib/postgresql/${postgresqlVersion}/bin`;

/** Path of one of the server's programs. */
export function postgresqlBinary(
  name: 'postgres' | 'initdb' | 'psql' | 'pg_isready' | 'pg_dump' | 'pg_restore',
): string {
  return join(BIN, name);
}

/** Where the control database of a node lives. */
export function postgresqlPaths(paths: Paths) {
  return {
    data: join(paths.postgresql, 'data'),
    config: join(paths.postgresql, 'postgresql.conf'),
    hba: join(paths.postgresql, 'pg_hba.conf'),
    ident: join(paths.postgresql, 'pg_ident.conf'),
    socketFolder: join(paths.run, 'postgresql'),
    socket: join(paths.run, 'postgresql', '.s.PGSQL.5432'),
  };
}

/** The server's argument array; runs as the account `postgres`. */
export function postgresqlProgram(paths: Paths): string[] {
  const { data, config } = postgresqlPaths(paths);
  return [postgresqlBinary('postgres'), '-D', data, '-c', `config_file=${config}`];
}

/** Does the control database take connections now? */
export async function isPostgresqlReady(paths: Paths): Promise<boolean> {
  const { socketFolder } = postgresqlPaths(paths);
  const argv = [postgresqlBinary('pg_isready'), '-q', '-t', '2', '-h', socketFolder];
  return (await exec(argv, { okCodes: [0, 1, 2] })).code === 0;
}

/** The URL of a server for another user or database of it; its options, such as `sslmode`, stay. */
export function otherLogin(
  serverUrl: string,
  user: { name: string; password: string } | undefined,
  database?: string,
): string {
  const url = new URL(serverUrl);
  if (user !== undefined) {
    url.username = user.name;
    url.password = encodeURIComponent(user.password);
  }
  if (database !== undefined) url.pathname = `/${database}`;
  return url.href;
}

/** Does this URL lead to a server elsewhere, rather than to a node's own over its socket? */
export function isOutsideServer(url: string): boolean {
  return !new URL(url).searchParams.has('host');
}

/** The URL of the control database for one user of it, over the socket. */
export function postgresqlUrl(
  paths: Paths,
  user: { name: string; password: string },
  database: string = controlDatabase,
): string {
  const host = encodeURIComponent(postgresqlPaths(paths).socketFolder);
  return `postgresql://${user.name}:${encodeURIComponent(user.password)}@localhost/${database}?host=${host}`;
}
