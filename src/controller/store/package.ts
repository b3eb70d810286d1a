import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { PackageTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type PackageRow = Selectable<PackageTable>;
export type PackageFilter = 'states' | 'types' | 'app_guids' | 'space_guids' | 'organization_guids';

export function listPackages(
  db: Database,
  caller: Caller,
  options: { query: Query<PackageFilter>; appGuid?: string },
): Promise<Page<PackageRow>> {
  const { query, appGuid } = options;
  const organizations = query.values('organization_guids');
  const types = query.values('types');
  const select = db.selectFrom('packages').innerJoin('apps', 'apps.guid', 'packages.app_guid').selectAll('packages');
  return fetchPage(select, query, {
    table: 'packages',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      among('packages.state', query.values('states')),
      types && !types.includes('bits') ? sql<boolean>`false` : undefined,
      among('packages.app_guid', appGuid === undefined ? query.values('app_guids') : [appGuid]),
      among('apps.space_guid', query.values('space_guids')),
      organizations &&
        sql<boolean>`apps.space_guid in (select guid from spaces where organization_guid = any(${organizations}))`,
    ],
  });
}

export function findPackage(db: Database, guid: string): Promise<PackageRow | undefined> {
  return db.selectFrom('packages').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** @throws PlatformError 404 */
export async function getPackage(db: Database, guid: string): Promise<PackageRow> {
  const row = await findPackage(db, guid);
  if (!row) throw new PlatformError('ResourceNotFound', 'Package not found');
  return row;
}

export function listPackagesOf(db: Database, appGuid: string): Promise<PackageRow[]> {
  return db.selectFrom('packages').selectAll().where('app_guid', '=', appGuid).execute();
}

export function insertPackage(tx: Database, row: Insertable<PackageTable>): Promise<PackageRow> {
  return tx.insertInto('packages').values(row).returningAll().executeTakeFirstOrThrow();
}

export function updatePackage(tx: Database, guid: string, change: Updateable<PackageTable>): Promise<PackageRow> {
  return tx
    .updateTable('packages')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * Lets one upload at a time fill a package, whichever controller receives it.
 *
 * @returns false when another one is under way, or the package has its content
 */
export async function claimUpload(db: Database, guid: string, lease: { claim: string; leaseS: number }) {
  const { numUpdatedRows } = await db
    .updateTable('packages')
    .set({ upload_claim: lease.claim, upload_until: sql<Date>`now() + make_interval(secs => ${lease.leaseS})` })
    .where('guid', '=', guid)
    .where('state', '=', 'AWAITING_UPLOAD')
    .where(sql<boolean>`(upload_claim = ${lease.claim} or upload_until is null or upload_until < now())`)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Lets another upload begin. */
export async function releaseUpload(db: Database, guid: string, claim: string): Promise<void> {
  await db
    .updateTable('packages')
    .set({ upload_claim: null, upload_until: null })
    .where('guid', '=', guid)
    .where('upload_claim', '=', claim)
    .execute();
}

/** Forgets packages of an app that got no content in this time, s. */
export async function deleteAbandonedPackages(db: Database, appGuid: string, afterS: number): Promise<void> {
  await db
    .deleteFrom('packages')
    .where('app_guid', '=', appGuid)
    .where('state', '=', 'AWAITING_UPLOAD')
    .where('created_at', '<', sql<Date>`now() - make_interval(secs => ${afterS})`)
    .where(sql<boolean>`(upload_until is null or upload_until < now())`)
    .execute();
}

export async function deletePackage(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('packages').where('guid', '=', guid).execute();
}
