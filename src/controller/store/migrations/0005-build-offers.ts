import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

/** A build is offered to stagers by one controller at a time, and again when its stager went. */
export const buildOffers: Migration = {
  name: '0005-build-offers',
  up: async (tx) => {
    await sql`alter table builds add column offered_at timestamptz`.execute(tx);
    await sql`alter table builds add column interruptions integer not null default 0`.execute(tx);
    await sql`create index resources_used_at on resources (used_at)`.execute(tx);
  },
};
