import type { SqlBool } from 'kysely';
import { type Selectable, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { amongNames, fetchPage, type Page } from './page.ts';
import type { ControllerSchema, OrganizationQuotaTable } from './schema.ts';

type Database = Db<ControllerSchema>;
/** A quota with the organizations it holds for. */
export type QuotaRow = Selectable<OrganizationQuotaTable> & { readonly organizations: readonly string[] };

/** The limits a quota can set, by column. */
export type QuotaLimitColumns = Partial<
  Omit<Selectable<OrganizationQuotaTable>, 'id' | 'guid' | 'created_at' | 'updated_at'>
>;

export function listQuotas(
  db: Database,
  caller: Caller,
  query: Query<'names' | 'organization_guids'>,
): Promise<Page<QuotaRow>> {
  const organizations = query.values('organization_guids');
  const isAll = isAllowedEverywhere('organization.read', caller.powers);
  return fetchPage(selectQuotas(db, caller), query, {
    table: 'organization_quotas',
    conditions: [
      isAll
        ? undefined
        : sql<SqlBool>`organization_quotas.guid in (select o.quota_guid from organizations o
            join roles r on r.organization_guid = o.guid where r.user_guid = ${caller.userGuid})`,
      amongNames('organization_quotas.name', query.values('names')),
      organizations &&
        sql<SqlBool>`organization_quotas.guid in (select o.quota_guid from organizations o where o.guid = any(${organizations}))`,
    ],
  });
}

/** A quota; its organizations are those the caller may see. */
export function findQuota(db: Database, caller: Caller, guid: string): Promise<QuotaRow | undefined> {
  return selectQuotas(db, caller).where('organization_quotas.guid', '=', guid).executeTakeFirst();
}

/** The quota that holds for an organization. */
export function findQuotaOf(db: Database, organizationGuid: string): Promise<Selectable<OrganizationQuotaTable>> {
  return db
    .selectFrom('organization_quotas')
    .innerJoin('organizations', 'organizations.quota_guid', 'organization_quotas.guid')
    .selectAll('organization_quotas')
    .where('organizations.guid', '=', organizationGuid)
    .executeTakeFirstOrThrow();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export async function insertQuota(
  tx: Database,
  quota: QuotaLimitColumns & { guid: string; name: string },
): Promise<void> {
  await explainConflict(nameTaken(quota.name), () => tx.insertInto('organization_quotas').values(quota).execute());
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export async function updateQuota(tx: Database, guid: string, change: QuotaLimitColumns): Promise<void> {
  await explainConflict(nameTaken(change.name ?? ''), () =>
    tx
      .updateTable('organization_quotas')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute(),
  );
}

/** Removes a quota. @throws PlatformError UnprocessableEntity while organizations have it */
export async function deleteQuota(tx: Database, guid: string): Promise<void> {
  const inUse = 'This quota is applied to one or more organizations. Apply another quota to them before deleting.';
  await explainConflict({ organizations_quota_guid_fkey: inUse }, () =>
    tx.deleteFrom('organization_quotas').where('guid', '=', guid).execute(),
  );
}

/** Makes a quota hold for these organizations. */
export async function applyQuota(tx: Database, guid: string, organizationGuids: readonly string[]): Promise<void> {
  if (organizationGuids.length === 0) return;
  await tx
    .updateTable('organizations')
    .set({ quota_guid: guid })
    .where('guid', 'in', [...organizationGuids])
    .execute();
}

function selectQuotas(db: Database, caller: Caller) {
  const isAll = isAllowedEverywhere('organization.read', caller.powers);
  const seen = isAll
    ? sql`true`
    : sql`o.guid in (select r.organization_guid from roles r where r.user_guid = ${caller.userGuid})`;
  return db
    .selectFrom('organization_quotas')
    .selectAll('organization_quotas')
    .select(
      sql<string[]>`array(select o.guid from organizations o
        where o.quota_guid = organization_quotas.guid and ${seen} order by o.id limit 5000)`.as('organizations'),
    );
}

function nameTaken(name: string): Record<string, string> {
  return { organization_quotas_name: `Organization Quota '${name}' already exists.` };
}
