import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

/** While an export holds the blobs, what would be deleted is noted, and deleted afterwards. */
export const blobHolds: Migration = {
  name: '0007-blob-holds',
  up: async (tx) => {
    await sql`create table blob_holds (id text primary key, held_until timestamptz not null)`.execute(tx);
    await sql`create table blob_deletions (key text primary key, noted_at timestamptz not null default now())`.execute(
      tx,
    );
  },
};
