import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

/** What one of several controllers is at: a job ends by its last claim only, a package has one upload at a time. */
export const claims: Migration = {
  name: '0006-claims',
  up: async (tx) => {
    await sql`alter table jobs add column claims integer not null default 0`.execute(tx);
    await sql`alter table packages add column upload_claim text, add column upload_until timestamptz`.execute(tx);
  },
};
