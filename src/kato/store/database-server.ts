import { environment } from '../../platform/config.ts';
import { type ExecResult, exec } from '../../platform/exec.ts';
import type { Paths } from '../../platform/paths.ts';
import {
  controlDatabase,
  otherLogin,
  postgresqlBinary,
  postgresqlPaths,
  postgresqlUrl,
} from '../../platform/postgresql.ts';
import { getUser } from '../../platform/system-user.ts';

/** How a program of PostgreSQL is run. */
export type ProgramOptions = {
  readonly database: string;
  readonly input?: string;
  readonly stdinFd?: number;
  readonly stdoutFd?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** The server that holds the control database, as its administrator sees it. */
export type DatabaseServer = {
  /** Name of the control database there. */
  readonly database: string;
  /** Where it is, for people, when it is not the Core's own. */
  readonly outside?: string;
  /** Runs one of PostgreSQL's programs as the server's administrator. */
  readonly program: (
    name: 'psql' | 'pg_dump' | 'pg_restore',
    args: readonly string[],
    options: ProgramOptions,
  ) => Promise<ExecResult>;
  /** URL for one of the platform's users. */
  readonly url: (user: string, database?: string) => string;
};

/** This node's own server, over its socket. @param passwords of the database's users */
export function ownServer(paths: Paths, passwords: Readonly<Record<string, string>>): DatabaseServer {
  return {
    database: controlDatabase,
    program: async (name, args, { database, ...options }) => {
      const { uid, gid } = await getUser('postgres');
      const socket = postgresqlPaths(paths).socketFolder;
      return exec([postgresqlBinary(name), '-h', socket, '-d', database, ...args], { uid, gid, cwd: '/', ...options });
    },
    url: (name, database) => postgresqlUrl(paths, { name, password: passwords[name] ?? '' }, database),
  };
}

/** A server of the operator's. @param url of its control database, as an administrator who may make users and databases */
export function outsideServer(url: string, passwords: Readonly<Record<string, string>>): DatabaseServer {
  const { hostname, port, pathname, password } = new URL(url);
  const bare = (database: string) => {
    const one = new URL(otherLogin(url, undefined, database));
    one.password = '';
    return one.href;
  };
  return {
    database: pathname.slice(1),
    outside: `${hostname}:${port || 5432}`,
    program: async (name, args, { database, ...options }) => {
      const { uid, gid } = await getUser('postgres');
      // A command line is seen by everybody on this machine.
      const env = {
        PATH: environment.path,
        LANG: 'C.UTF-8',
        PGPASSWORD: decodeURIComponent(password),
        PGCONNECT_TIMEOUT: '10',
      };
      return exec([postgresqlBinary(name), '-d', bare(database), ...args], { uid, gid, cwd: '/', env, ...options });
    },
    url: (name, database) => otherLogin(url, { name, password: passwords[name] ?? '' }, database),
  };
}

/** The server that holds the control database now. */
export function databaseServer(
  paths: Paths,
  { database, databaseServer: url }: { database: Record<string, string>; databaseServer?: string },
): DatabaseServer {
  return url === undefined ? ownServer(paths, database) : outsideServer(url, database);
}

/** Runs SQL as the administrator; the first error ends it. Gives what it said, unaligned, without heads. */
export async function runSql(server: DatabaseServer, database: string, statements: readonly string[]): Promise<string> {
  const input = `set client_min_messages = warning;\n${statements.join('\n')}\n`;
  const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
  return (await server.program('psql', args, { database, input })).stdout.trim();
}
