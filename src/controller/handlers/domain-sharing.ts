import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import { ToMany, toMany } from '../api/relationship.ts';
import { noContent, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { hasRoutesOf, shareDomain, unshareDomain } from '../store/domain.ts';
import { findRouteAt } from '../store/route.ts';
import { managedDomain, visibleDomain } from './domain.ts';

/** Which organizations may use a private domain, and which of its addresses are taken. */
export const domainSharingRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v3/domains/:guid/relationships/shared_organizations',
    summary: 'Share a private domain with organizations',
    permission: { kind: 'authenticated' },
    body: ToMany,
    responses: { 200: Type.Unknown() },
    handler: async (request) => {
      const { controller, caller, body } = request;
      const domain = await managedDomain(request, request.params.guid);
      if (domain.organization_guid === null) {
        throw new PlatformError(
          'UnprocessableEntity',
          'Domains can not be shared with other organizations unless they are scoped to an organization.',
        );
      }
      const guids = body.data.map((one) => one.guid);
      for (const guid of guids) {
        const invalid = `Organization with guid '${guid}' does not exist or you do not have access to it.`;
        await authorize(controller, caller, { of: 'organization', guid, may: 'organization.manage', invalid });
      }
      const others = guids.filter((guid) => guid !== domain.organization_guid);
      await shareDomain(controller.db, domain.guid, others);
      return ok({ ...toMany((await visibleDomain(request, domain.guid)).shared_with), links: {} });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/domains/:guid/relationships/shared_organizations/:organization',
    summary: 'Stop sharing a private domain with an organization',
    permission: { kind: 'authenticated' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const domain = await visibleDomain(request, params.guid);
      if (!domain.shared_with.includes(params.organization)) {
        throw new PlatformError(
          'UnprocessableEntity',
          `Unable to unshare domain from organization with name '${params.organization}'. Ensure the domain is shared to this organization.`,
        );
      }
      // Either the owner or the organization it was shared with may end it.
      await authorize(controller, caller, {
        of: 'organization',
        guid: params.organization,
        may: 'organization.manage',
      }).catch(async (error: unknown) => {
        if (!(error instanceof PlatformError)) throw error;
        await managedDomain(request, params.guid);
      });
      if (await hasRoutesOf(controller.db, domain.guid, params.organization)) {
        throw new PlatformError(
          'UnprocessableEntity',
          'This domain has associated routes in this organization. Delete the routes before unsharing.',
        );
      }
      await unshareDomain(controller.db, domain.guid, params.organization);
      return noContent();
    },
  }),
  route({
    method: 'GET',
    path: '/v3/domains/:guid/route_reservations',
    summary: 'Tell whether an address is taken',
    permission: { kind: 'authenticated' },
    query: { params: ['host', 'path', 'port'] },
    handler: async (request) => {
      const { controller, query, params } = request;
      const domain = await visibleDomain(request, params.guid);
      const [host = ''] = query.values('host') ?? [];
      const [path = ''] = query.values('path') ?? [];
      const [port = ''] = query.values('port') ?? [];
      if (port !== '' && !/^\d{1,5}$/.test(port)) throw new PlatformError('BadQueryParameter', 'Port must be a number');
      const address = { domainGuid: domain.guid, host, path, port: port === '' ? null : Number(port) };
      return ok({ matching_route: (await findRouteAt(controller.db, address)) !== undefined });
    },
  }),
];
