import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

/** Audit events answer `updated_at` and filters by it like all resources; they never change. */
export const eventTimes: Migration = {
  name: '0004-events',
  up: async (tx) => {
    await sql`alter table audit_events add column updated_at timestamptz not null default now()`.execute(tx);
  },
};
