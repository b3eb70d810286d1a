import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;

/** Sizes in bytes of the cached files among these SHA-1s. */
export async function findResources(db: Database, sha1s: readonly string[]): Promise<Map<string, number>> {
  if (sha1s.length === 0) return new Map();
  const rows = await db
    .selectFrom('resources')
    .select(['sha1', 'bytes'])
    .where('sha1', 'in', [...sha1s])
    .execute();
  return new Map(rows.map(({ sha1, bytes }) => [sha1, bytes]));
}

/** Remembers that a file is in the cache. Its content must be there already. */
export async function saveResource(db: Database, resource: { sha1: string; bytes: number }): Promise<void> {
  await db
    .insertInto('resources')
    .values(resource)
    .onConflict((conflict) => conflict.column('sha1').doUpdateSet({ used_at: sql<Date>`now()` }))
    .execute();
}

/** Forgets a file whose content is gone. */
export async function deleteResource(db: Database, sha1: string): Promise<void> {
  await db.deleteFrom('resources').where('sha1', '=', sha1).execute();
}
