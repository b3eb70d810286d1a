import { type Selectable, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedOrganizations } from './role-standing.ts';
import type { ControllerSchema, OrganizationTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type OrganizationRow = Selectable<OrganizationTable>;

export function listOrganizations(db: Database, caller: Caller, query: Query<'names'>): Promise<Page<OrganizationRow>> {
  return fetchPage(db.selectFrom('organizations').selectAll('organizations'), query, {
    table: 'organizations',
    conditions: [
      inPermittedOrganizations(caller, 'organization.read', 'organizations.guid'),
      amongNames('organizations.name', query.values('names')),
    ],
  });
}

export function getOrganization(db: Database, guid: string): Promise<OrganizationRow> {
  return db.selectFrom('organizations').selectAll().where('guid', '=', guid).executeTakeFirstOrThrow();
}

export function findOrganizations(db: Database, guids: readonly string[]): Promise<OrganizationRow[]> {
  if (guids.length === 0) return Promise.resolve([]);
  return db
    .selectFrom('organizations')
    .selectAll()
    .where('guid', 'in', [...guids])
    .execute();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function insertOrganization(
  tx: Database,
  organization: { guid: string; name: string; suspended: boolean; labels?: string; annotations?: string },
): Promise<OrganizationRow> {
  return explainConflict(nameTaken(organization.name), () =>
    tx
      .insertInto('organizations')
      .values((eb) => ({
        ...organization,
        quota_guid: eb
          .selectFrom('organization_quotas')
          .select('organization_quotas.guid')
          .where('name', '=', 'default'),
      }))
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function updateOrganization(
  tx: Database,
  guid: string,
  change: { name?: string; suspended?: boolean; labels?: string; annotations?: string },
): Promise<OrganizationRow> {
  return explainConflict(nameTaken(change.name ?? ''), () =>
    tx
      .updateTable('organizations')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

function nameTaken(name: string): Record<string, string> {
  return { organizations_name: `Organization '${name}' already exists.` };
}

/** Removes an emptied organization. @throws PlatformError UnprocessableEntity while it has spaces */
export async function deleteOrganization(tx: Database, guid: string): Promise<void> {
  const inUse = 'The organization has spaces that were made meanwhile. Delete it again.';
  await explainConflict({ spaces_organization_guid_fkey: inUse }, () =>
    tx.deleteFrom('organizations').where('guid', '=', guid).execute(),
  );
}
