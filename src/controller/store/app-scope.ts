import { sql } from 'kysely';
import type { ScopeFinder, ScopeFinders } from './scope.ts';

type OwnedTable = 'processes' | 'packages' | 'builds' | 'droplets' | 'deployments' | 'revisions';

/** Scopes of apps and of what belongs to them. */
export const appScopes: ScopeFinders = {
  app: {
    label: 'App',
    find: async (db, guid) => {
      const row = await db
        .selectFrom('apps')
        .innerJoin('spaces', 'spaces.guid', 'apps.space_guid')
        .select(['spaces.guid', 'spaces.organization_guid'])
        .where('apps.guid', '=', guid)
        .executeTakeFirst();
      return row && { organizationGuid: row.organization_guid, spaceGuid: row.guid, appGuid: guid };
    },
  },
  process: ownedBy('processes', 'Process'),
  package: ownedBy('packages', 'Package'),
  build: ownedBy('builds', 'Build'),
  droplet: ownedBy('droplets', 'Droplet'),
  deployment: ownedBy('deployments', 'Deployment'),
  revision: ownedBy('revisions', 'Revision'),
};

function ownedBy(table: OwnedTable, label: string): ScopeFinder {
  return {
    label,
    find: async (db, guid) => {
      const { rows } = await sql<{ app: string; space: string; organization: string }>`
        select a.guid as app, s.guid as space, s.organization_guid as organization
          from ${sql.table(table)} t
          join apps a on a.guid = t.app_guid join spaces s on s.guid = a.space_guid
          where t.guid = ${guid}`.execute(db);
      const [row] = rows;
      return row && { organizationGuid: row.organization, spaceGuid: row.space, appGuid: row.app };
    },
  };
}
