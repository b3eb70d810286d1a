import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

/** Destinations end with their app. */
export const destinationApps: Migration = {
  name: '0003-destinations',
  up: async (tx) => {
    await sql`alter table destinations add constraint destinations_app_guid_fkey
      foreign key (app_guid) references apps (guid) on delete cascade`.execute(tx);
  },
};
