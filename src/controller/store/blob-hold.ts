import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;

/** Does an export hold the blobs now? A hold that was not renewed counts no longer. */
export async function areBlobsHeld(db: Database): Promise<boolean> {
  const { rows } = await sql<{ held: boolean }>`
    select exists (select 1 from blob_holds where held_until > now()) as held`.execute(db);
  return rows[0]?.held ?? false;
}

/** Notes that a blob is to be deleted once nothing holds it. */
export async function noteBlobDeletion(db: Database, key: string): Promise<void> {
  await db
    .insertInto('blob_deletions')
    .values({ key })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** New content was stored under this key: it stays. */
export async function forgetBlobDeletion(db: Database, key: string): Promise<void> {
  await db.deleteFrom('blob_deletions').where('key', '=', key).execute();
}

/** Blobs to delete, at most this many, longest noted first. */
export async function listBlobDeletions(db: Database, most: number): Promise<string[]> {
  const rows = await db.selectFrom('blob_deletions').select('key').orderBy('noted_at').limit(most).execute();
  return rows.map(({ key }) => key);
}
