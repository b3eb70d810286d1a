import { PlatformError } from '../../contract/errors.ts';
import { reservedHosts } from '../../contract/hosts.ts';
import { formatRoute, routeFaults } from '../../core/route-name.ts';
import { recordEvent } from '../store/audit-event.ts';
import {
  type DestinationRow,
  findMappableApps,
  insertDestinations,
  type NewDestination,
} from '../store/destination.ts';
import { type DomainRow, findDomainByName } from '../store/domain.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { getOrganization } from '../store/organization.ts';
import { getRoute, insertRoute, type RouteRow, routeQuotaOf, sharedSpacesOf } from '../store/route.ts';
import type { Caller } from './caller.ts';
import type { Controller, ControllerTx } from './controller.ts';

type Deps = Pick<Controller, 'random' | 'config'>;

export type WantedRoute = {
  readonly host: string;
  readonly path: string;
  readonly domain: DomainRow;
  readonly spaceGuid: string;
  readonly organizationGuid: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly columns?: { labels?: string; annotations?: string };
};

/**
 * Makes a route in a transaction, whoever asks for it: the API or a manifest.
 *
 * @throws PlatformError UnprocessableEntity naming all that is wrong, or that the route exists or the quota is used up
 */
export async function createRoute(
  deps: Deps,
  tx: ControllerTx,
  caller: Caller,
  wanted: WantedRoute,
): Promise<RouteRow> {
  const { domain, path, spaceGuid, organizationGuid } = wanted;
  const host = wanted.host.toLowerCase();
  if (!caller.isAdmin && !(await isFeatureEnabled(tx, 'route_creation'))) {
    throw new PlatformError('FeatureDisabled', 'route_creation');
  }
  await checkDomain(tx, domain, organizationGuid);
  const isShared = domain.organization_guid === null;
  const faults = routeFaults({ host, path }, { name: domain.name, isShared, isInternal: domain.internal });
  if (faults.length > 0) throw unprocessable(faults.join(', '));
  const isSystem = domain.name.toLowerCase() === deps.config.cluster.domain.toLowerCase();
  if (isSystem && reservedHosts.includes(host)) {
    throw unprocessable(`Route conflicts with a reserved system route: the host '${host}' belongs to the platform.`);
  }
  const name = formatRoute({ host, domain: domain.name, path: '', port: null });
  if (host !== '' && (await findDomainByName(tx, name))) throw unprocessable(`Route conflicts with domain '${name}'.`);
  await checkQuota(tx, organizationGuid);
  const guid = deps.random.guid();
  await insertRoute(
    tx,
    {
      ...{ guid, host, path, port: null, domain_guid: domain.guid, space_guid: spaceGuid },
      options: JSON.stringify(wanted.options ?? {}),
      ...wanted.columns,
    },
    domain.name,
  );
  const row = await getRoute(tx, guid);
  await recordRouteEvent(deps, tx, caller, { type: 'audit.route.create', row, organizationGuid, data: { host, path } });
  return row;
}

/**
 * Adds destinations to a route; those that are there already stay.
 *
 * @returns the ones added
 * @throws PlatformError UnprocessableEntity for apps that do not exist or are in other spaces
 */
export async function mapRoute(
  deps: Deps,
  tx: ControllerTx,
  caller: Caller,
  mapping: { route: RouteRow; organizationGuid: string; destinations: readonly Omit<NewDestination, 'guid'>[] },
): Promise<DestinationRow[]> {
  const { route, organizationGuid } = mapping;
  const guids = [...new Set(mapping.destinations.map((destination) => destination.app_guid))];
  const apps = await findMappableApps(tx, guids);
  const missing = guids.filter((guid) => !apps.some((app) => app.guid === guid));
  if (missing.length > 0) {
    const list = missing.map((guid) => `"${guid}"`).join(', ');
    throw unprocessable(`App(s) with guid(s) ${list} do not exist or you do not have access.`);
  }
  const spaces = [route.space_guid, ...(await sharedSpacesOf(tx, route.guid))];
  if (apps.some((app) => !spaces.includes(app.space_guid))) {
    throw unprocessable('Routes cannot be mapped to destinations in different spaces.');
  }
  const wanted = mapping.destinations.map((destination) => ({ guid: deps.random.guid(), ...destination }));
  const added = await insertDestinations(tx, route.guid, wanted);
  for (const destination of added) {
    const app = apps.find((one) => one.guid === destination.app_guid);
    await recordMapping(deps, tx, caller, {
      ...{ type: 'audit.app.map-route', destination, route, organizationGuid },
      appName: app?.name ?? '',
    });
  }
  return added;
}

/** Records that an app was mapped to or unmapped from a route. */
export function recordMapping(
  deps: Pick<Deps, 'random'>,
  tx: ControllerTx,
  caller: Caller,
  change: {
    type: 'audit.app.map-route' | 'audit.app.unmap-route';
    destination: DestinationRow;
    route: RouteRow;
    organizationGuid: string;
    appName: string;
  },
): Promise<void> {
  const { destination, route } = change;
  return recordEvent(tx, {
    guid: deps.random.guid(),
    type: change.type,
    actor: caller.actor,
    target: { guid: destination.app_guid, type: 'app', name: change.appName },
    spaceGuid: route.space_guid,
    organizationGuid: change.organizationGuid,
    data: {
      route_guid: route.guid,
      destination_guid: destination.guid,
      process_type: destination.process_type,
      app_port: destination.port,
      protocol: destination.protocol,
      weight: null,
    },
  });
}

/** Records what was done to a route. */
export function recordRouteEvent(
  deps: Pick<Deps, 'random'>,
  tx: ControllerTx,
  caller: Caller,
  event: { type: string; row: RouteRow; organizationGuid: string | undefined; data?: Record<string, unknown> },
): Promise<void> {
  return recordEvent(tx, {
    guid: deps.random.guid(),
    type: event.type,
    actor: caller.actor,
    target: { guid: event.row.guid, type: 'route', name: event.row.host },
    spaceGuid: event.row.space_guid,
    organizationGuid: event.organizationGuid,
    data: event.data ? { request: event.data } : {},
  });
}

async function checkDomain(tx: ControllerTx, domain: DomainRow, organizationGuid: string): Promise<void> {
  const owner = domain.organization_guid;
  if (owner === null || owner === organizationGuid || domain.shared_with.includes(organizationGuid)) return;
  const { name } = await getOrganization(tx, organizationGuid);
  throw unprocessable(`Invalid domain. Domain '${domain.name}' is not available in organization '${name}'.`);
}

async function checkQuota(tx: ControllerTx, organizationGuid: string): Promise<void> {
  const { used, allowed, organization } = await routeQuotaOf(tx, organizationGuid);
  if (allowed !== null && used >= allowed) {
    throw unprocessable(
      `Routes quota exceeded for organization '${organization}'. It may have ${allowed} and has ${used}; delete one, or ask an administrator for a larger quota.`,
    );
  }
}

function unprocessable(detail: string): PlatformError {
  return new PlatformError('UnprocessableEntity', detail);
}
