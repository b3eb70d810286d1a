import { PlatformError } from '../contract/errors.ts';
import type { ManifestApp, ManifestRoute } from '../core/manifest.ts';
import { domainCandidates, randomHost, splitRoute } from '../core/manifest-route.ts';
import type { ControllerTx } from './api/controller.ts';
import { createRoute, mapRoute, recordMapping } from './api/route-creation.ts';
import type { ManifestContext } from './manifest-context.ts';
import type { AppRow } from './store/app.ts';
import { listDestinationsOfApp } from './store/app-destination.ts';
import { deleteDestinations, updateDestination } from './store/destination.ts';
import { type DomainRow, findDefaultDomain, findUsableDomains } from './store/domain.ts';
import { findRouteAt, getRoute, type RouteRow } from './store/route.ts';

type Change = { readonly app: AppRow; readonly manifest: ManifestApp };
type Address = { readonly host: string; readonly path: string; readonly domain: DomainRow };

/** Maps and unmaps an app's routes as its manifest says. */
export async function applyManifestRoutes(context: ManifestContext, tx: ControllerTx, change: Change): Promise<void> {
  const { app, manifest } = change;
  if (manifest.noRoute) return unmapAll(context, tx, app);
  for (const wanted of manifest.routes) await mapNamed(context, tx, { app, wanted });
  if (manifest.routes.length > 0 || !(manifest.randomRoute || manifest.defaultRoute)) return;
  if ((await listDestinationsOfApp(tx, app.guid)).length > 0) return;
  const domain = await findDefaultDomain(tx, context.organizationGuid);
  if (!domain) throw new PlatformError('UnprocessableEntity', 'No default domain exists; create a domain first');
  const { pick } = context.controller.random;
  const host = manifest.randomRoute ? randomHost(app.name, pick) : app.name;
  await map(context, tx, { app, address: { host, path: '', domain } });
}

async function unmapAll(context: ManifestContext, tx: ControllerTx, app: AppRow): Promise<void> {
  const destinations = await listDestinationsOfApp(tx, app.guid);
  for (const destination of destinations) {
    await recordMapping(context.controller, tx, context.caller, {
      ...{ type: 'audit.app.unmap-route', destination, organizationGuid: context.organizationGuid },
      ...{ route: await getRoute(tx, destination.route_guid), appName: app.name },
    });
  }
  await deleteDestinations(
    tx,
    destinations.map(({ guid }) => guid),
  );
}

async function mapNamed(
  context: ManifestContext,
  tx: ControllerTx,
  { app, wanted }: { app: AppRow; wanted: ManifestRoute },
): Promise<void> {
  const domains = await findUsableDomains(tx, context.organizationGuid, domainCandidates(wanted.route));
  const split = splitRoute(
    wanted.route,
    domains.map(({ name }) => name),
  );
  const domain = domains.find(({ name }) => name.toLowerCase() === split?.domain);
  if (!split || !domain) {
    throw new PlatformError('UnprocessableEntity', `The route '${wanted.route}' did not match any existing domains.`);
  }
  await map(context, tx, { app, address: { ...split, domain }, wanted });
}

async function map(
  context: ManifestContext,
  tx: ControllerTx,
  change: { app: AppRow; address: Address; wanted?: ManifestRoute },
): Promise<void> {
  const { app, wanted } = change;
  const route = await findOrCreate(context, tx, change);
  const mapped = (await listDestinationsOfApp(tx, app.guid)).find(
    ({ route_guid, process_type }) => route_guid === route.guid && process_type === 'web',
  );
  const protocol = wanted?.protocol ?? mapped?.protocol ?? 'http1';
  if (!mapped) {
    const destinations = [{ app_guid: app.guid, process_type: 'web', port: null, protocol }];
    const { organizationGuid } = context;
    await mapRoute(context.controller, tx, context.caller, { route, organizationGuid, destinations });
  } else if (mapped.protocol !== protocol) await updateDestination(tx, mapped.guid, protocol);
}

async function findOrCreate(
  { controller, caller, organizationGuid }: ManifestContext,
  tx: ControllerTx,
  { app, address, wanted }: { app: AppRow; address: Address; wanted?: ManifestRoute },
): Promise<RouteRow> {
  const { host, path, domain } = address;
  const existing = await findRouteAt(tx, { domainGuid: domain.guid, host, path, port: null });
  if (existing) return existing;
  return createRoute(controller, tx, caller, {
    ...{ host, path, domain, organizationGuid, spaceGuid: app.space_guid },
    ...(wanted?.options ? { options: wanted.options } : {}),
  });
}
