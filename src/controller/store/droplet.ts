import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { DropletTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type DropletRow = Selectable<DropletTable>;
export type DropletFilter = 'states' | 'app_guids' | 'space_guids' | 'organization_guids' | 'versions';

export function listDroplets(
  db: Database,
  caller: Caller,
  options: { query: Query<DropletFilter>; appGuid?: string; packageGuid?: string },
): Promise<Page<DropletRow>> {
  const { query, appGuid, packageGuid } = options;
  const organizations = query.values('organization_guids');
  const select = db.selectFrom('droplets').innerJoin('apps', 'apps.guid', 'droplets.app_guid').selectAll('droplets');
  return fetchPage(select, query, {
    table: 'droplets',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      among('droplets.state', query.values('states')),
      among('droplets.app_guid', appGuid === undefined ? query.values('app_guids') : [appGuid]),
      packageGuid === undefined ? undefined : among('droplets.package_guid', [packageGuid]),
      among('apps.space_guid', query.values('space_guids')),
      organizations &&
        sql<boolean>`apps.space_guid in (select guid from spaces where organization_guid = any(${organizations}))`,
    ],
  });
}

export function findDroplet(db: Database, guid: string): Promise<DropletRow | undefined> {
  return db.selectFrom('droplets').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** @throws PlatformError 404 */
export async function getDroplet(db: Database, guid: string): Promise<DropletRow> {
  const row = await findDroplet(db, guid);
  if (!row) throw new PlatformError('ResourceNotFound', 'Droplet not found');
  return row;
}

export function listDropletsOf(db: Database, appGuid: string): Promise<DropletRow[]> {
  return db.selectFrom('droplets').selectAll().where('app_guid', '=', appGuid).execute();
}

/** Droplets that an app or a process of it still points to. */
export async function listDropletsInUse(db: Database, appGuid: string): Promise<Set<string>> {
  const { rows } = await sql<{ guid: string | null }>`
    select droplet_guid as guid from apps where guid = ${appGuid}
    union select droplet_guid from processes where app_guid = ${appGuid}
    union select previous_droplet_guid from deployments where app_guid = ${appGuid} and status_value = 'ACTIVE'`.execute(
    db,
  );
  return new Set(rows.flatMap(({ guid }) => (guid === null ? [] : [guid])));
}

export function insertDroplet(tx: Database, droplet: Insertable<DropletTable>): Promise<DropletRow> {
  return tx.insertInto('droplets').values(droplet).returningAll().executeTakeFirstOrThrow();
}

export function updateDroplet(tx: Database, guid: string, change: Updateable<DropletTable>): Promise<DropletRow> {
  return tx
    .updateTable('droplets')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function deleteDroplet(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('droplets').where('guid', '=', guid).execute();
}
