import { type Selectable, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { among, amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema, SpaceTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type SpaceRow = Selectable<SpaceTable>;

const NAME_TAKEN = { spaces_name: 'Name must be unique per organization' };

export function listSpaces(
  db: Database,
  caller: Caller,
  query: Query<'names' | 'organization_guids'>,
): Promise<Page<SpaceRow>> {
  return fetchPage(db.selectFrom('spaces').selectAll('spaces'), query, {
    table: 'spaces',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'spaces.guid'),
      amongNames('spaces.name', query.values('names')),
      among('spaces.organization_guid', query.values('organization_guids')),
    ],
  });
}

export function getSpace(db: Database, guid: string): Promise<SpaceRow> {
  return db.selectFrom('spaces').selectAll().where('guid', '=', guid).executeTakeFirstOrThrow();
}

export function findSpaces(db: Database, guids: readonly string[]): Promise<SpaceRow[]> {
  if (guids.length === 0) return Promise.resolve([]);
  return db
    .selectFrom('spaces')
    .selectAll()
    .where('guid', 'in', [...guids])
    .execute();
}

export function listSpacesOf(db: Database, organizationGuid: string): Promise<SpaceRow[]> {
  return db.selectFrom('spaces').selectAll().where('organization_guid', '=', organizationGuid).orderBy('id').execute();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function insertSpace(
  tx: Database,
  space: { guid: string; name: string; organization_guid: string; labels?: string; annotations?: string },
): Promise<SpaceRow> {
  return explainConflict(NAME_TAKEN, () =>
    tx.insertInto('spaces').values(space).returningAll().executeTakeFirstOrThrow(),
  );
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function updateSpace(
  tx: Database,
  guid: string,
  change: { name?: string; ssh_enabled?: boolean; labels?: string; annotations?: string },
): Promise<SpaceRow> {
  return explainConflict(NAME_TAKEN, () =>
    tx
      .updateTable('spaces')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** Removes an emptied space and its routes; gives the apps elsewhere that lost a route by it. */
export async function deleteSpace(tx: Database, guid: string): Promise<string[]> {
  const lost = await tx
    .selectFrom('destinations')
    .innerJoin('routes', 'routes.guid', 'destinations.route_guid')
    .select('destinations.app_guid')
    .distinct()
    .where('routes.space_guid', '=', guid)
    .execute();
  await tx.deleteFrom('routes').where('space_guid', '=', guid).execute();
  const inUse = 'The space has apps that were made meanwhile. Delete it again.';
  await explainConflict({ apps_space_guid_fkey: inUse }, () =>
    tx.deleteFrom('spaces').where('guid', '=', guid).execute(),
  );
  return lost.map((row) => row.app_guid);
}
