import { type DatabaseServer, runSql } from './database-server.ts';

/** Schemas of what users made; that of the primary holds the cluster itself. */
const schemas = ['controller', 'aok', 'health'];

/** Drops users, apps and all that belongs to them from the control database; they are made empty when their owners start. */
export async function dropPlatformData(server: DatabaseServer): Promise<void> {
  const drops = schemas.map((schema) => `drop schema if exists ${schema} cascade;`);
  await runSql(server, server.database, drops);
}
