import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { accepted, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentSpaceFeature } from '../present/space.ts';
import { recordEvent } from '../store/audit-event.ts';
import { startJob } from '../store/job.ts';
import { getSpace, updateSpace } from '../store/space.ts';
import { usageOfSpace } from '../store/usage.ts';

/** Features of spaces, their usage, and what is done to all of a space's routes. */
export const spaceFeatureRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/spaces/:guid/features',
    summary: "List a space's features",
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    handler: async ({ controller, params }) =>
      ok({ resources: [presentSpaceFeature(await getSpace(controller.db, params.guid))] }),
  }),
  route({
    method: 'GET',
    path: '/v3/spaces/:guid/features/:name',
    summary: "Get a space's feature",
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    handler: async ({ controller, params }) => {
      checkFeature(params.name);
      return ok(presentSpaceFeature(await getSpace(controller.db, params.guid)));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/spaces/:guid/features/:name',
    summary: "Switch a space's feature",
    permission: { kind: 'resource', of: 'space', may: 'space.manage' },
    body: Type.Object({ enabled: Type.Boolean() }, { additionalProperties: false }),
    handler: async ({ controller, caller, params, body }) => {
      checkFeature(params.name);
      const row = await controller.db.transaction().execute(async (tx) => {
        const space = await updateSpace(tx, params.guid, { ssh_enabled: body.enabled });
        await recordEvent(tx, {
          guid: controller.random.guid(),
          type: 'audit.space.update',
          actor: caller.actor,
          target: { guid: space.guid, type: 'space', name: space.name },
          spaceGuid: space.guid,
          organizationGuid: space.organization_guid,
          data: { request: { features: { ssh: body.enabled } } },
        });
        return space;
      });
      return ok(presentSpaceFeature(row));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/spaces/:guid/usage_summary',
    summary: 'Tell what a space uses',
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    handler: async ({ controller, params, baseUrl }) =>
      ok({
        usage_summary: await usageOfSpace(controller.db, params.guid),
        links: {
          self: { href: `${baseUrl}/v3/spaces/${params.guid}/usage_summary` },
          space: { href: `${baseUrl}/v3/spaces/${params.guid}` },
        },
      }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/spaces/:guid/routes',
    summary: "Delete a space's routes that lead to no app",
    permission: { kind: 'resource', of: 'space', may: 'space.operate' },
    query: { params: ['unmapped'] },
    handler: async (request) => {
      const { controller, caller, params, query } = request;
      if (query.values('unmapped')?.[0] !== 'true') {
        throw new PlatformError(
          'UnprocessableEntity',
          "Mass delete not supported for routes. Use 'unmapped=true' parameter to delete all unmapped routes.",
        );
      }
      const job = await startJob(controller.db, {
        guid: controller.random.guid(),
        operation: 'space.delete_unmapped_routes',
        resource: { type: 'spaces', guid: params.guid },
        userGuid: caller.userGuid,
        payload: { actor: caller.actor },
      });
      return accepted(request, job);
    },
  }),
];

function checkFeature(name: string): void {
  if (name !== 'ssh') throw new PlatformError('ResourceNotFound', 'Feature not found');
}
