import { type DatabaseServer, runSql } from './database-server.ts';

/** How often each node's passwords were renewed, as the registry has it, by node id. */
export async function readGenerations(server: DatabaseServer): Promise<ReadonlyMap<string, number>> {
  const query = 'select id, generation from "primary".members where removed_at is null;';
  const text = await runSql(server, server.database, [query]);
  const rows = text.split('\n').filter(Boolean);
  return new Map(rows.map((row) => row.split('|')).map(([id = '', generation = '1']) => [id, Number(generation)]));
}
