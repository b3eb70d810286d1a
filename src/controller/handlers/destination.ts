import type { Static } from 'typebox';
import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { noContent, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { mapRoute, recordMapping } from '../api/route-creation.ts';
import { presentDestination, presentDestinations } from '../present/route.ts';
import {
  type DestinationRow,
  deleteDestinations,
  findMappableApps,
  listDestinations,
  type NewDestination,
  updateDestination,
} from '../store/destination.ts';
import { getRoute } from '../store/route.ts';

const Protocol = Type.Enum(['http1', 'http2']);
const Destinations = Type.Object(
  {
    destinations: Type.Array(
      Type.Object(
        {
          app: Type.Object({
            guid: Type.String({ minLength: 1 }),
            process: Type.Optional(Type.Object({ type: Type.String({ minLength: 1, maxLength: 255 }) })),
          }),
          port: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.Null()])),
          protocol: Type.Optional(Type.Union([Protocol, Type.Null()])),
          weight: Type.Optional(Type.Union([Type.Null(), Type.Integer()])),
        },
        { additionalProperties: false },
      ),
      { maxItems: 100 },
    ),
  },
  { additionalProperties: false },
);
const MANAGE = { kind: 'resource', of: 'route', may: 'route.operate' } as const;

/** Where routes lead. */
export const destinationRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/routes/:guid/destinations',
    summary: "List a route's destinations",
    permission: { kind: 'resource', of: 'route', may: 'route.read' },
    query: { params: ['guids', 'app_guids'] },
    handler: async ({ controller, params, query, baseUrl }) => {
      const all = await listDestinations(controller.db, [params.guid]);
      const [guids, apps] = [query.values('guids'), query.values('app_guids')];
      const wanted = all.filter((one) => (guids?.includes(one.guid) ?? true) && (apps?.includes(one.app_guid) ?? true));
      return ok(presentDestinations(params.guid, wanted, baseUrl));
    },
  }),
  route({
    method: 'POST',
    path: '/v3/routes/:guid/destinations',
    summary: 'Map apps to a route',
    permission: MANAGE,
    body: Destinations,
    handler: (request) => change(request, request.body, { isReplacing: false }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/routes/:guid/destinations',
    summary: "Replace a route's destinations",
    permission: MANAGE,
    body: Destinations,
    handler: (request) => change(request, request.body, { isReplacing: true }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/routes/:guid/destinations/:destination',
    summary: "Change a destination's protocol",
    permission: MANAGE,
    body: Type.Object({ protocol: Type.Union([Protocol, Type.Null()]) }, { additionalProperties: false }),
    handler: async ({ controller, params, body }) => {
      const found = await findDestination(controller, params.guid, params.destination);
      await updateDestination(controller.db, found.guid, body.protocol ?? 'http1');
      await controller.events.onRoutesChanged([found.app_guid]);
      return ok(presentDestination({ ...found, protocol: body.protocol ?? 'http1' }));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/routes/:guid/destinations/:destination',
    summary: 'Unmap an app from a route',
    permission: MANAGE,
    handler: async (request) => {
      const { controller, params } = request;
      const found = await findDestination(controller, params.guid, params.destination);
      await controller.db.transaction().execute((tx) => remove(request, tx, [found]));
      await controller.events.onRoutesChanged([found.app_guid]);
      return noContent();
    },
  }),
];

type Request = Pick<ApiRequest<'guid'>, 'controller' | 'caller' | 'params' | 'scope' | 'baseUrl'>;

/** Adds the wanted destinations and, when replacing, takes all others away. */
async function change(request: Request, body: Static<typeof Destinations>, options: { isReplacing: boolean }) {
  const { controller, caller, params, scope, baseUrl } = request;
  if (body.destinations.some((one) => one.weight !== undefined && one.weight !== null)) {
    throw new PlatformError('UnprocessableEntity', 'Destinations with weights are not supported.');
  }
  const wanted = body.destinations.map((one) => ({
    app_guid: one.app.guid,
    process_type: one.app.process?.type ?? 'web',
    port: one.port ?? null,
    protocol: one.protocol ?? 'http1',
  }));
  const { rows, changed } = await controller.db.transaction().execute(async (tx) => {
    const route = await getRoute(tx, params.guid);
    const before = await listDestinations(tx, [route.guid]);
    const gone = options.isReplacing ? before.filter((row) => !wanted.some((one) => isSame(row, one))) : [];
    await remove(request, tx, gone);
    const organizationGuid = scope.organizationGuid ?? '';
    const added = await mapRoute(controller, tx, caller, { route, organizationGuid, destinations: wanted });
    return { rows: await listDestinations(tx, [route.guid]), changed: [...gone, ...added] };
  });
  await controller.events.onRoutesChanged([...new Set(changed.map((row) => row.app_guid))]);
  return ok(presentDestinations(params.guid, rows, baseUrl));
}

async function remove(
  { controller, caller, params, scope }: Request,
  tx: Parameters<typeof recordMapping>[1],
  gone: readonly DestinationRow[],
): Promise<void> {
  if (gone.length === 0) return;
  const route = await getRoute(tx, params.guid);
  const apps = await findMappableApps(
    tx,
    gone.map((row) => row.app_guid),
  );
  await deleteDestinations(
    tx,
    gone.map((row) => row.guid),
  );
  for (const destination of gone) {
    const appName = apps.find((app) => app.guid === destination.app_guid)?.name ?? '';
    const organizationGuid = scope.organizationGuid ?? '';
    const what = { type: 'audit.app.unmap-route', destination, route, organizationGuid, appName } as const;
    await recordMapping(controller, tx, caller, what);
  }
}

async function findDestination(controller: Request['controller'], routeGuid: string, guid: string) {
  const found = (await listDestinations(controller.db, [routeGuid])).find((row) => row.guid === guid);
  if (found) return found;
  throw new PlatformError(
    'UnprocessableEntity',
    'Unable to unmap route from destination. Ensure the route has a destination with this guid.',
  );
}

function isSame(row: DestinationRow, wanted: Omit<NewDestination, 'guid'>): boolean {
  return (
    row.app_guid === wanted.app_guid &&
    row.process_type === wanted.process_type &&
    row.port === wanted.port &&
    row.protocol === wanted.protocol
  );
}
