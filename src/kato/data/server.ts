import { isPostgresqlReady } from '../../platform/postgresql.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readDatabasePasswords } from '../setup/secrets.ts';
import { type DatabaseServer, ownServer } from '../store/database-server.ts';

/** Refuses where the platform's data is not kept. */
export function requireCore({ file }: Node): void {
  if (file.roles.includes('primary')) return;
  throw new Refusal(`the platform's data is kept by the Core node, ${file.coreAddress}`, 'run the same command there');
}

/** The server that holds the control database; refuses when it does not take connections. */
export async function openServer(node: Node): Promise<DatabaseServer> {
  requireCore(node);
  if (!(await isPostgresqlReady(node.paths))) {
    throw new Refusal('the control database does not run', '`kato process start postgresql`, or `kato start`');
  }
  return ownServer(node.paths, await readDatabasePasswords(node.paths));
}
