import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import { describeRoute } from '../../core/route-name.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { among, amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema, RouteTable } from './schema.ts';

type Database = Db<ControllerSchema>;
/** A route with its domain's name. */
export type RouteRow = Selectable<RouteTable> & { readonly domain_name: string };

export type RouteFilter =
  | 'app_guids'
  | 'domain_guids'
  | 'hosts'
  | 'organization_guids'
  | 'paths'
  | 'ports'
  | 'space_guids'
  | 'service_instance_guids';

/** Routes the caller may see; of one app with `appGuid`. */
export function listRoutes(
  db: Database,
  caller: Caller,
  options: { query: Query<RouteFilter>; appGuid?: string },
): Promise<Page<RouteRow>> {
  const { query, appGuid } = options;
  const apps = appGuid === undefined ? query.values('app_guids') : [appGuid];
  const organizations = query.values('organization_guids');
  const ports = query.values('ports');
  return fetchPage(selectRoutes(db), query, {
    table: 'routes',
    conditions: [
      visibleRoutes(caller),
      amongNames('routes.host', query.values('hosts')),
      among('routes.path', query.values('paths')),
      among('routes.domain_guid', query.values('domain_guids')),
      inSpaces(query.values('space_guids')),
      ports && sql<SqlBool>`coalesce(routes.port::text, '') = any(${ports})`,
      // There are no route services yet: no route is bound to an instance.
      query.values('service_instance_guids') && sql<SqlBool>`false`,
      organizations &&
        sql<SqlBool>`routes.space_guid in (select s.guid from spaces s where s.organization_guid = any(${organizations}))`,
      apps && sql<SqlBool>`routes.guid in (select d.route_guid from destinations d where d.app_guid = any(${apps}))`,
    ],
  });
}

export function getRoute(db: Database, guid: string): Promise<RouteRow> {
  return selectRoutes(db).where('routes.guid', '=', guid).executeTakeFirstOrThrow();
}

/** The route at exactly this address. */
export function findRouteAt(
  db: Database,
  address: { domainGuid: string; host: string; path: string; port: number | null },
): Promise<RouteRow | undefined> {
  return selectRoutes(db)
    .where('routes.domain_guid', '=', address.domainGuid)
    .where('routes.host', '=', address.host.toLowerCase())
    .where('routes.path', '=', address.path)
    .where('routes.port', address.port === null ? 'is' : '=', address.port)
    .executeTakeFirst();
}

/** @throws PlatformError UnprocessableEntity when the address is taken */
export async function insertRoute(
  tx: Database,
  route: {
    guid: string;
    host: string;
    path: string;
    port: number | null;
    domain_guid: string;
    space_guid: string;
    options: string;
    labels?: string;
    annotations?: string;
  },
  domainName: string,
): Promise<void> {
  const parts = describeRoute(route);
  const taken = `Route already exists${parts ? ` with ${parts}` : ''} for domain '${domainName}'.`;
  await explainConflict({ routes_address: taken }, () => tx.insertInto('routes').values(route).execute());
}

export async function updateRoute(
  tx: Database,
  guid: string,
  change: { options?: string; space_guid?: string; labels?: string; annotations?: string },
): Promise<void> {
  await tx
    .updateTable('routes')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

export async function deleteRoute(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('routes').where('guid', '=', guid).execute();
}

/** Removes a space's routes that lead to no app. */
export async function deleteUnmappedRoutes(tx: Database, spaceGuid: string): Promise<void> {
  await tx
    .deleteFrom('routes')
    .where('space_guid', '=', spaceGuid)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('destinations').select('destinations.id').whereRef('route_guid', '=', 'routes.guid'))),
    )
    .execute();
}

export async function sharedSpacesOf(db: Database, guid: string): Promise<string[]> {
  const rows = await db.selectFrom('route_shares').select('space_guid').where('route_guid', '=', guid).execute();
  return rows.map((row) => row.space_guid);
}

export async function shareRoute(tx: Database, guid: string, spaceGuids: readonly string[]): Promise<void> {
  if (spaceGuids.length === 0) return;
  await tx
    .insertInto('route_shares')
    .values(spaceGuids.map((space_guid) => ({ route_guid: guid, space_guid })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function unshareRoute(tx: Database, guid: string, spaceGuid: string): Promise<void> {
  await tx.deleteFrom('route_shares').where('route_guid', '=', guid).where('space_guid', '=', spaceGuid).execute();
}

/** How many routes an organization has, and how many it may have (null: any number). */
export async function routeQuotaOf(
  db: Database,
  organizationGuid: string,
): Promise<{ used: number; allowed: number | null; organization: string }> {
  return db
    .selectFrom('organizations')
    .innerJoin('organization_quotas', 'organization_quotas.guid', 'organizations.quota_guid')
    .select((eb) => [
      'organizations.name as organization',
      'organization_quotas.total_routes as allowed',
      eb
        .selectFrom('routes')
        .innerJoin('spaces', 'spaces.guid', 'routes.space_guid')
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .whereRef('spaces.organization_guid', '=', 'organizations.guid')
        .$castTo<{ n: number }>()
        .as('used'),
    ])
    .where('organizations.guid', '=', organizationGuid)
    .$castTo<{ used: number; allowed: number | null; organization: string }>()
    .executeTakeFirstOrThrow();
}

function selectRoutes(db: Database) {
  return db
    .selectFrom('routes')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .selectAll('routes')
    .select('domains.name as domain_name');
}

// Both conditions gather the few routes first, by index, rather than ask about each route of the table.
function inSpaces(spaces: readonly string[] | undefined): Expression<SqlBool> | undefined {
  return (
    spaces &&
    sql<SqlBool>`routes.guid = any(array(
      select r.guid from routes r where r.space_guid = any(${spaces})
      union select s.route_guid from route_shares s where s.space_guid = any(${spaces})))`
  );
}

function visibleRoutes(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('route.read', caller.powers)) return undefined;
  const own = inPermittedSpaces(caller, 'route.read', 'routes.space_guid');
  const shared = inPermittedSpaces(caller, 'route.read', 'sh.space_guid');
  return sql<SqlBool>`(${own} or routes.guid in (select sh.route_guid from route_shares sh where ${shared}))`;
}
