import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import { ToMany, ToOne, toMany } from '../api/relationship.ts';
import { noContent, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { recordRouteEvent } from '../api/route-creation.ts';
import { deleteDestinationsIn } from '../store/destination.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { getRoute, sharedSpacesOf, shareRoute, unshareRoute, updateRoute } from '../store/route.ts';

/** Routes that several spaces use, and routes that change hands. */
export const routeSharingRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/routes/:guid/relationships/shared_spaces',
    summary: 'List the spaces a route is shared with',
    permission: { kind: 'resource', of: 'route', may: 'route.read' },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentShares(await sharedSpacesOf(controller.db, params.guid), params.guid, baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/routes/:guid/relationships/shared_spaces',
    summary: 'Share a route with spaces',
    permission: { kind: 'resource', of: 'route', may: 'route.operate' },
    body: ToMany,
    handler: async (request) => {
      const { controller, caller, params, body, scope, baseUrl } = request;
      await requireSharing(request);
      const guids = body.data.map((one) => one.guid);
      for (const guid of guids) {
        const invalid = `Unable to share route with spaces ['${guid}']. Ensure the spaces exist and that you have access to them.`;
        await authorize(controller, caller, { of: 'space', guid, may: 'space.operate', invalid });
      }
      await controller.db.transaction().execute(async (tx) => {
        const row = await getRoute(tx, params.guid);
        const others = guids.filter((guid) => guid !== row.space_guid);
        await shareRoute(tx, row.guid, others);
        const { organizationGuid } = scope;
        await recordRouteEvent(controller, tx, caller, {
          ...{ type: 'audit.route.share', row, organizationGuid },
          data: { target_space_guids: others },
        });
      });
      return ok(presentShares(await sharedSpacesOf(controller.db, params.guid), params.guid, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/routes/:guid/relationships/shared_spaces/:space',
    summary: 'Stop sharing a route with a space',
    permission: { kind: 'resource', of: 'route', may: 'route.operate' },
    handler: async (request) => {
      const { controller, caller, params, scope } = request;
      await requireSharing(request);
      if (!(await sharedSpacesOf(controller.db, params.guid)).includes(params.space)) {
        throw new PlatformError(
          'UnprocessableEntity',
          `Unable to unshare route from space '${params.space}'. Ensure the space exists and the route is shared to this space.`,
        );
      }
      const apps = await controller.db.transaction().execute(async (tx) => {
        const row = await getRoute(tx, params.guid);
        const lost = await deleteDestinationsIn(tx, row.guid, params.space);
        await unshareRoute(tx, row.guid, params.space);
        const { organizationGuid } = scope;
        await recordRouteEvent(controller, tx, caller, {
          ...{ type: 'audit.route.unshare', row, organizationGuid },
          data: { target_space_guid: params.space },
        });
        return lost;
      });
      await controller.events.onRoutesChanged(apps);
      return noContent();
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/routes/:guid/relationships/space',
    summary: 'Move a route to another space',
    permission: { kind: 'resource', of: 'route', may: 'route.develop' },
    body: ToOne,
    handler: async (request) => {
      const { controller, caller, params, body, scope, baseUrl } = request;
      await requireSharing(request);
      const { guid } = body.data;
      const invalid = `Unable to transfer owner of route to space '${guid}'. Ensure the space exists and that you have access to it.`;
      await authorize(controller, caller, { of: 'space', guid, may: 'space.develop', invalid });
      await controller.db.transaction().execute(async (tx) => {
        const row = await getRoute(tx, params.guid);
        if (row.space_guid === guid) return;
        // The former owner keeps using it: its apps stay mapped.
        await shareRoute(tx, row.guid, [row.space_guid]);
        await unshareRoute(tx, row.guid, guid);
        await updateRoute(tx, row.guid, { space_guid: guid });
        const { organizationGuid } = scope;
        await recordRouteEvent(controller, tx, caller, {
          ...{ type: 'audit.route.transfer-owner', row, organizationGuid },
          data: { target_space_guid: guid },
        });
      });
      const self = `${baseUrl}/v3/routes/${params.guid}/relationships/space`;
      return ok({ data: { guid }, links: { self: { href: self } } });
    },
  }),
];

async function requireSharing({ controller, caller }: Pick<ApiRequest, 'controller' | 'caller'>): Promise<void> {
  if (caller.isAdmin || (await isFeatureEnabled(controller.db, 'route_sharing'))) return;
  throw new PlatformError('FeatureDisabled', 'route_sharing');
}

function presentShares(spaces: readonly string[], guid: string, baseUrl: string) {
  return { ...toMany(spaces), links: { self: { href: `${baseUrl}/v3/routes/${guid}/relationships/shared_spaces` } } };
}
