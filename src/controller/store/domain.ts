import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { among, amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedOrganizations } from './role-standing.ts';
import type { ControllerSchema, DomainTable } from './schema.ts';

type Database = Db<ControllerSchema>;
/** A domain with the organizations it is shared with. */
export type DomainRow = Selectable<DomainTable> & { readonly shared_with: readonly string[] };

export type DomainFilter = 'names' | 'organization_guids';

/** Domains the caller may see; of one organization: shared ones, its own, and those shared with it. */
export function listDomains(
  db: Database,
  caller: Caller,
  options: { query: Query<DomainFilter>; organizationGuid?: string },
): Promise<Page<DomainRow>> {
  const { query, organizationGuid } = options;
  return fetchPage(selectDomains(db), query, {
    table: 'domains',
    conditions: [
      visibleDomains(caller),
      organizationGuid === undefined ? undefined : usableBy(organizationGuid),
      amongNames('domains.name', query.values('names')),
      among('domains.organization_guid', query.values('organization_guids')),
    ],
  });
}

export function findDomain(db: Database, guid: string): Promise<DomainRow | undefined> {
  return selectDomains(db).where('domains.guid', '=', guid).executeTakeFirst();
}

export function findDomains(db: Database, guids: readonly string[]): Promise<DomainRow[]> {
  if (guids.length === 0) return Promise.resolve([]);
  return selectDomains(db)
    .where('domains.guid', 'in', [...guids])
    .execute();
}

export function findDomainByName(db: Database, name: string): Promise<DomainRow | undefined> {
  return selectDomains(db).where(sql`lower(domains.name)`, '=', name.toLowerCase()).executeTakeFirst();
}

/** Domains among these names, those that an organization may use. */
export function findUsableDomains(
  db: Database,
  organizationGuid: string,
  names: readonly string[],
): Promise<DomainRow[]> {
  const condition = amongNames('domains.name', names);
  return selectDomains(db)
    .where(usableBy(organizationGuid))
    .$if(condition !== undefined, (q) => q.where(condition ?? sql<SqlBool>`true`))
    .execute();
}

/** The domain that apps of an organization get their first route on. */
export function findDefaultDomain(db: Database, organizationGuid: string): Promise<DomainRow | undefined> {
  return selectDomains(db)
    .where(usableBy(organizationGuid))
    .where('domains.internal', '=', false)
    .orderBy(sql`domains.organization_guid is not null`)
    .orderBy('domains.id')
    .limit(1)
    .executeTakeFirst();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export async function insertDomain(
  tx: Database,
  domain: {
    guid: string;
    name: string;
    internal: boolean;
    organization_guid: string | null;
    labels?: string;
    annotations?: string;
  },
): Promise<void> {
  await explainConflict({ domains_name: `The domain name "${domain.name}" is already in use` }, () =>
    tx.insertInto('domains').values(domain).execute(),
  );
}

export async function updateDomain(
  tx: Database,
  guid: string,
  change: { labels?: string; annotations?: string },
): Promise<void> {
  await tx
    .updateTable('domains')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

export async function shareDomain(tx: Database, guid: string, organizationGuids: readonly string[]): Promise<void> {
  if (organizationGuids.length === 0) return;
  await tx
    .insertInto('domain_shares')
    .values(organizationGuids.map((organization_guid) => ({ domain_guid: guid, organization_guid })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function unshareDomain(tx: Database, guid: string, organizationGuid: string): Promise<void> {
  await tx
    .deleteFrom('domain_shares')
    .where('domain_guid', '=', guid)
    .where('organization_guid', '=', organizationGuid)
    .execute();
}

/** Is there a route on this domain in a space of the organization? */
export async function hasRoutesOf(db: Database, guid: string, organizationGuid: string): Promise<boolean> {
  const row = await db
    .selectFrom('routes')
    .innerJoin('spaces', 'spaces.guid', 'routes.space_guid')
    .select('routes.guid')
    .where('routes.domain_guid', '=', guid)
    .where('spaces.organization_guid', '=', organizationGuid)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Removes a domain and its routes; gives the apps that lost a route by it. */
export async function deleteDomain(tx: Database, guid: string): Promise<string[]> {
  const lost = await tx
    .selectFrom('destinations')
    .innerJoin('routes', 'routes.guid', 'destinations.route_guid')
    .select('destinations.app_guid')
    .distinct()
    .where('routes.domain_guid', '=', guid)
    .execute();
  await tx.deleteFrom('routes').where('domain_guid', '=', guid).execute();
  await tx.deleteFrom('domains').where('guid', '=', guid).execute();
  return lost.map((row) => row.app_guid);
}

/** Removes an organization's own domains, once it has no spaces. */
export async function deleteDomainsOf(tx: Database, organizationGuid: string): Promise<void> {
  const own = tx.selectFrom('domains').select('guid').where('organization_guid', '=', organizationGuid);
  await tx.deleteFrom('routes').where('domain_guid', 'in', own).execute();
  await tx.deleteFrom('domains').where('organization_guid', '=', organizationGuid).execute();
}

export async function countDomainsOf(db: Database, organizationGuid: string): Promise<number> {
  const row = await db
    .selectFrom('domains')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_guid', '=', organizationGuid)
    .executeTakeFirstOrThrow();
  return row.count;
}

function selectDomains(db: Database) {
  return db
    .selectFrom('domains')
    .selectAll('domains')
    .select(
      sql<string[]>`array(select s.organization_guid from domain_shares s where s.domain_guid = domains.guid
        order by s.organization_guid)`.as('shared_with'),
    );
}

function usableBy(organizationGuid: string): Expression<SqlBool> {
  return sql<SqlBool>`(domains.organization_guid is null or domains.organization_guid = ${organizationGuid}
    or exists (select 1 from domain_shares s where s.domain_guid = domains.guid and s.organization_guid = ${organizationGuid}))`;
}

function visibleDomains(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('domain.read', caller.powers)) return undefined;
  const owned = inPermittedOrganizations(caller, 'domain.read', 'domains.organization_guid');
  const shared = inPermittedOrganizations(caller, 'domain.read', 's.organization_guid');
  return sql<SqlBool>`(domains.organization_guid is null or ${owned}
    or exists (select 1 from domain_shares s where s.domain_guid = domains.guid and ${shared}))`;
}
