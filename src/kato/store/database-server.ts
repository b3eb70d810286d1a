import { type ExecResult, exec } from '../../platform/exec.ts';
import type { Paths } from '../../platform/paths.ts';
import { controlDatabase, postgresqlBinary, postgresqlPaths, postgresqlUrl } from '../../platform/postgresql.ts';
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

/** Runs SQL as the administrator; the first error ends it. Gives what it said, unaligned, without heads. */
export async function runSql(server: DatabaseServer, database: string, statements: readonly string[]): Promise<string> {
  const input = `set client_min_messages = warning;\n${statements.join('\n')}\n`;
  const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
  return (await server.program('psql', args, { database, input })).stdout.trim();
}
