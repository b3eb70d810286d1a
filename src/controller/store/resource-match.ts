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

/** Notes that these files were asked for now, so that others go before them. */
export async function touchResources(db: Database, sha1s: readonly string[]): Promise<void> {
  if (sha1s.length === 0) return;
  await db
    .updateTable('resources')
    .set({ used_at: sql<Date>`now()` })
    .where('sha1', 'in', [...sha1s])
    // One that was used a moment ago need not be written again.
    .where('used_at', '<', sql<Date>`now() - interval '1 minute'`)
    .execute();
}

/**
 * Forgets the files that were not used for longest, until the others fit.
 *
 * @param limit `bytes` of all files; `keptS`: files used in this time stay in any case, s
 * @returns the SHA-1s of what is to be deleted
 */
export async function forgetOldResources(db: Database, limit: { bytes: number; keptS: number }): Promise<string[]> {
  const { rows } = await sql<{ sha1: string }>`
    delete from resources where sha1 in (
      select sha1 from (
        select sha1, used_at, sum(bytes) over (order by used_at desc, sha1) as with_newer from resources
      ) aged
      where with_newer > ${limit.bytes} and used_at < now() - make_interval(secs => ${limit.keptS})
    )
    returning sha1`.execute(db);
  return rows.map(({ sha1 }) => sha1);
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
