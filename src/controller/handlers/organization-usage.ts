import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { ToOneOrNone, toOne } from '../api/relationship.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { usageOfOrganization, usageOfPlatform } from '../store/usage.ts';

/** What organizations use; and isolation segments, of which this platform has none but the shared one. */
export const organizationUsageRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/organizations/:guid/usage_summary',
    summary: 'Tell what an organization uses',
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    handler: async ({ controller, params, baseUrl }) =>
      ok({
        usage_summary: await usageOfOrganization(controller.db, params.guid),
        links: {
          self: { href: `${baseUrl}/v3/organizations/${params.guid}/usage_summary` },
          organization: { href: `${baseUrl}/v3/organizations/${params.guid}` },
        },
      }),
  }),
  route({
    method: 'GET',
    path: '/v3/info/usage_summary',
    summary: 'Tell what all apps use',
    permission: { kind: 'global-read' },
    handler: async ({ controller, baseUrl }) =>
      ok({
        usage_summary: await usageOfPlatform(controller.db),
        links: { self: { href: `${baseUrl}/v3/info/usage_summary` } },
      }),
  }),
  route({
    method: 'GET',
    path: '/v3/isolation_segments',
    summary: 'List isolation segments: there are none',
    permission: { kind: 'authenticated' },
    query: {
      params: ['names', 'organization_guids'],
      list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true },
    },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
  route({
    method: 'GET',
    path: '/v3/isolation_segments/:guid',
    summary: 'Get an isolation segment: there are none',
    permission: { kind: 'authenticated' },
    handler: async () => {
      throw new PlatformError('ResourceNotFound', 'Isolation segment not found');
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organizations/:guid/relationships/default_isolation_segment',
    summary: "Get an organization's default isolation segment",
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    handler: async ({ params, baseUrl }) =>
      ok(noSegment(`${baseUrl}/v3/organizations/${params.guid}`, 'default_isolation_segment')),
  }),
  route({
    method: 'PATCH',
    path: '/v3/organizations/:guid/relationships/default_isolation_segment',
    summary: "Take an organization's default isolation segment away",
    permission: { kind: 'resource', of: 'organization', may: 'organization.manage' },
    body: ToOneOrNone,
    handler: async ({ params, body, baseUrl }) => {
      refuseSegment(body.data?.guid);
      return ok(noSegment(`${baseUrl}/v3/organizations/${params.guid}`, 'default_isolation_segment'));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/spaces/:guid/relationships/isolation_segment',
    summary: "Get a space's isolation segment",
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    handler: async ({ params, baseUrl }) => ok(noSegment(`${baseUrl}/v3/spaces/${params.guid}`, 'isolation_segment')),
  }),
  route({
    method: 'PATCH',
    path: '/v3/spaces/:guid/relationships/isolation_segment',
    summary: "Take a space's isolation segment away",
    permission: { kind: 'resource', of: 'space', may: 'space.administer' },
    body: ToOneOrNone,
    handler: async ({ params, body, baseUrl }) => {
      refuseSegment(body.data?.guid);
      return ok(noSegment(`${baseUrl}/v3/spaces/${params.guid}`, 'isolation_segment'));
    },
  }),
];

function noSegment(owner: string, relation: string) {
  return { ...toOne(null), links: { self: { href: `${owner}/relationships/${relation}` } } };
}

function refuseSegment(guid: string | null | undefined): void {
  if (!guid) return;
  throw new PlatformError(
    'UnprocessableEntity',
    `Unable to assign isolation segment with guid '${guid}'. Ensure it has been entitled to the organization that this space belongs to.`,
  );
}
