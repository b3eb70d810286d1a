import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ListOf, listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok, type Reply } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { createRoute, recordRouteEvent } from '../api/route-creation.ts';
import { presentDomain } from '../present/domain.ts';
import { presentOrganization } from '../present/organization.ts';
import { presentRoute } from '../present/route.ts';
import { presentSpace } from '../present/space.ts';
import { listDestinations } from '../store/destination.ts';
import { findDomain, findDomains } from '../store/domain.ts';
import { startJob } from '../store/job.ts';
import { findOrganizations } from '../store/organization.ts';
import { deleteRoute, getRoute, listRoutes, type RouteFilter, type RouteRow, updateRoute } from '../store/route.ts';
import { findSpaces } from '../store/space.ts';

const INCLUDE = ['domain', 'space', 'space.organization'] as const;
const LIST = {
  params: [
    'app_guids',
    'domain_guids',
    'hosts',
    'organization_guids',
    'paths',
    'ports',
    'space_guids',
    'service_instance_guids',
  ],
  list: { order: ['created_at', 'updated_at'], isLabelled: true },
  include: INCLUDE,
} as const;

const OptionValue = {
  loadbalancing: Type.Enum(['round-robin', 'least-connection', 'hash']),
  hash_header: Type.String({ minLength: 1, maxLength: 128 }),
  hash_balance: Type.Union([Type.String({ pattern: '^\\d+(\\.\\d+)?$' }), Type.Number({ minimum: 0 })]),
};
const optional = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const Options = Type.Object(
  {
    loadbalancing: optional(OptionValue.loadbalancing),
    hash_header: optional(OptionValue.hash_header),
    hash_balance: optional(OptionValue.hash_balance),
  },
  { additionalProperties: false },
);

/** CRUD of routes. */
export const routeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/routes',
    summary: 'List routes',
    permission: { kind: 'authenticated' },
    query: LIST,
    responses: { 200: ListOf(Type.Unknown()) },
    handler: (request) => listOf(request),
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/routes',
    summary: "List an app's routes",
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    query: LIST,
    responses: { 200: ListOf(Type.Unknown()) },
    handler: (request) => listOf(request, request.params.guid),
  }),
  route({
    method: 'GET',
    path: '/v3/routes/:guid',
    summary: 'Get a route',
    permission: { kind: 'resource', of: 'route', may: 'route.read' },
    query: { include: INCLUDE },
    handler: async (request) => {
      const row = await getRoute(request.controller.db, request.params.guid);
      const included = await includedWith(request, [row]);
      return ok({ ...(await present(request, row)), ...(included ? { included } : {}) });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/routes',
    summary: 'Create a route',
    permission: { kind: 'related', of: 'space', at: 'relationships.space', may: 'space.operate' },
    body: Type.Object(
      {
        host: Type.Optional(Type.String({ maxLength: 253 })),
        path: Type.Optional(Type.String()),
        port: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.Null()])),
        options: Type.Optional(Options),
        relationships: Type.Object({ space: ToOne, domain: ToOne }, { additionalProperties: false }),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    handler: async (request) => {
      const { controller, caller, body, scope } = request;
      const { host = '', path = '', port, relationships } = body;
      if (port) throw unprocessable('Routes with protocol http do not support ports.');
      const row = await controller.db.transaction().execute(async (tx) => {
        const domain = await findDomain(tx, relationships.domain.data.guid);
        if (!domain) throw unprocessable('Invalid domain. Ensure that the domain exists and you have access to it.');
        return createRoute(controller, tx, caller, {
          ...{ host, path, domain, spaceGuid: relationships.space.data.guid },
          organizationGuid: scope.organizationGuid ?? '',
          options: mergedOptions({}, body.options),
          columns: metadataColumns(body.metadata),
        });
      });
      return created(presentRoute(row, [], request.baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/routes/:guid',
    summary: "Change a route's options or labels",
    permission: { kind: 'resource', of: 'route', may: 'route.operate' },
    body: Type.Object(
      { options: Type.Optional(Options), metadata: Type.Optional(MetadataPatch) },
      { additionalProperties: false },
    ),
    handler: async (request) => {
      const { controller, caller, params, body, scope } = request;
      const row = await controller.db.transaction().execute(async (tx) => {
        const now = await getRoute(tx, params.guid);
        const options = body.options && { options: JSON.stringify(mergedOptions(now.options, body.options)) };
        await updateRoute(tx, params.guid, { ...options, ...metadataColumns(body.metadata, now) });
        const { organizationGuid } = scope;
        const data = body.options ? { options: body.options } : {};
        await recordRouteEvent(controller, tx, caller, {
          type: 'audit.route.update',
          row: now,
          organizationGuid,
          data,
        });
        return getRoute(tx, params.guid);
      });
      if (body.options) await controller.events.onRoutesChanged(await appsOf(request, row.guid));
      return ok(await present(request, row));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/routes/:guid',
    summary: 'Delete a route',
    permission: { kind: 'resource', of: 'route', may: 'route.operate' },
    handler: async (request) => {
      const { controller, caller, params, scope } = request;
      const apps = await appsOf(request, params.guid);
      const job = await controller.db.transaction().execute(async (tx) => {
        const row = await getRoute(tx, params.guid);
        const { organizationGuid } = scope;
        await recordRouteEvent(controller, tx, caller, { type: 'audit.route.delete-request', row, organizationGuid });
        await deleteRoute(tx, row.guid);
        return startJob(tx, { guid: controller.random.guid(), operation: 'route.delete', isDone: true });
      });
      await controller.events.onRoutesChanged(apps);
      return accepted(request, job);
    },
  }),
];

type Request = Pick<ApiRequest, 'controller' | 'caller' | 'query' | 'baseUrl' | 'raw'>;

async function listOf(request: Omit<ApiRequest<never, RouteFilter>, 'params'>, appGuid?: string): Promise<Reply> {
  const { controller, caller, query, baseUrl } = request;
  const page = await listRoutes(controller.db, caller, { query, ...(appGuid === undefined ? {} : { appGuid }) });
  const guids = page.rows.map((row) => row.guid);
  const destinations = Map.groupBy(await listDestinations(controller.db, guids), (one) => one.route_guid);
  return listed(request, page, {
    present: (row) => presentRoute(row, destinations.get(row.guid) ?? [], baseUrl),
    included: await includedWith(request, page.rows),
  });
}

async function present({ controller, baseUrl }: Pick<Request, 'controller' | 'baseUrl'>, row: RouteRow) {
  return presentRoute(row, await listDestinations(controller.db, [row.guid]), baseUrl);
}

async function appsOf({ controller }: Pick<Request, 'controller'>, guid: string): Promise<string[]> {
  const destinations = await listDestinations(controller.db, [guid]);
  return [...new Set(destinations.map((destination) => destination.app_guid))];
}

async function includedWith(
  { controller, query, baseUrl }: Omit<Request, 'caller' | 'raw'>,
  rows: readonly RouteRow[],
) {
  const { db } = controller;
  if (query.include.length === 0) return undefined;
  const wants = (name: (typeof INCLUDE)[number]) => query.include.includes(name);
  const needsSpaces = wants('space') || wants('space.organization');
  const spaces = needsSpaces ? await findSpaces(db, [...new Set(rows.map((row) => row.space_guid))]) : [];
  const domains = wants('domain') ? await findDomains(db, [...new Set(rows.map((row) => row.domain_guid))]) : [];
  const owners = wants('space.organization') ? [...new Set(spaces.map((space) => space.organization_guid))] : [];
  const organizations = await findOrganizations(db, owners);
  return {
    ...(wants('domain') ? { domains: domains.map((row) => presentDomain(row, baseUrl)) } : {}),
    ...(needsSpaces ? { spaces: spaces.map((row) => presentSpace(row, baseUrl)) } : {}),
    ...(wants('space.organization')
      ? { organizations: organizations.map((row) => presentOrganization(row, baseUrl)) }
      : {}),
  };
}

/** Options after a change; null takes one away. Values are kept as text. */
function mergedOptions(
  now: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string | number | null>> = {},
): Record<string, string> {
  const merged = Object.entries({ ...now, ...change }).flatMap(([key, value]) =>
    value === null ? [] : [[key, String(value)] as const],
  );
  const options: Record<string, string> = Object.fromEntries(merged);
  if (options.loadbalancing === 'hash' && !options.hash_header) {
    throw unprocessable("Options hash_header must be present when loadbalancing is set to 'hash'");
  }
  return options;
}

function unprocessable(detail: string): PlatformError {
  return new PlatformError('UnprocessableEntity', detail);
}
