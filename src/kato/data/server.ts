import { ExecError } from '../../platform/exec.ts';
import { isPostgresqlReady } from '../../platform/postgresql.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readSecrets } from '../setup/secrets.ts';
import { type DatabaseServer, databaseServer, runSql } from '../store/database-server.ts';

/** Refuses where the platform's data is not kept. */
export function requireCore({ file }: Node): void {
  if (file.roles.includes('primary')) return;
  throw new Refusal(`the platform's data is kept by the Core node, ${file.coreAddress}`, 'run the same command there');
}

/** The server that holds the control database; refuses when it does not take connections. */
export async function openServer(node: Node): Promise<DatabaseServer> {
  requireCore(node);
  const server = databaseServer(node.paths, await readSecrets(node.paths));
  if (server.outside !== undefined) await requireAnswer(server);
  else if (!(await isPostgresqlReady(node.paths))) {
    throw new Refusal('the control database does not run', '`kato process start postgresql`, or `kato start`');
  }
  return server;
}

/** Refuses when a server outside does not let its administrator in. @param database to log in to */
export async function requireAnswer(server: DatabaseServer, database = server.database): Promise<void> {
  try {
    await runSql(server, database, ['select 1;']);
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    const [said = ''] = cause.stderr.trim().split('\n');
    throw new Refusal(
      `the database server ${server.outside} can't be used: ${said.replace(/^.*(FATAL|failed|error): +/, '')}`,
      'look at its address, its user and password, and whether it lets this machine in (pg_hba.conf)',
      { cause },
    );
  }
}
