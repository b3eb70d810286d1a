import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

export type StoredKey = {
  readonly kid: string;
  readonly sealedKey: string;
  /** JSON. */
  readonly publicJwk: string;
  readonly isRetired: boolean;
};

/** Keys that sign or may still verify, newest first. `usefulAfter`: keys retired before it are forgotten. */
export async function listKeys(db: Db<AokSchema>, usefulAfter: Date): Promise<StoredKey[]> {
  const rows = await db
    .selectFrom('signing_keys')
    .selectAll()
    .where((eb) => eb.or([eb('retired_at', 'is', null), eb('retired_at', '>', usefulAfter)]))
    .orderBy('created_at', 'desc')
    .execute();
  return rows.map((row) => ({
    kid: row.kid,
    sealedKey: row.sealed_key,
    publicJwk: row.public_jwk,
    isRetired: row.retired_at !== null,
  }));
}

/** Adds a key that signs from now on, unless another process was first (`onlyFirst`) or after retiring the others. */
export async function addKey(
  db: Db<AokSchema>,
  key: Omit<StoredKey, 'isRetired'>,
  options: { onlyFirst: boolean },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtext('aok signing keys'))`.execute(tx);
    const active = await tx.selectFrom('signing_keys').select('kid').where('retired_at', 'is', null).execute();
    if (options.onlyFirst && active.length > 0) return;
    await tx
      .updateTable('signing_keys')
      .set({ retired_at: sql<Date>`now()` })
      .where('retired_at', 'is', null)
      .execute();
    await tx
      .insertInto('signing_keys')
      .values({ kid: key.kid, sealed_key: key.sealedKey, public_jwk: key.publicJwk, retired_at: null })
      .execute();
  });
}
