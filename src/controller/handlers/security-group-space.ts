import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import { ToMany, toMany } from '../api/relationship.ts';
import { noContent, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { bindSecurityGroup, unbindSecurityGroup } from '../store/security-group.ts';
import { visibleGroup } from './security-group.ts';

/** Which spaces a security group holds in, besides those it holds in for everyone. */
export const securityGroupSpaceRoutes: readonly Route[] = (['running', 'staging'] as const).flatMap((lifecycle) => [
  route({
    method: 'POST',
    path: `/v3/security_groups/:guid/relationships/${lifecycle}_spaces`,
    summary: `Bind a security group to ${lifecycle} apps of spaces`,
    permission: { kind: 'authenticated' },
    body: ToMany,
    handler: async (request) => {
      const { controller, caller, body, params, baseUrl } = request;
      const group = await visibleGroup(request, params.guid);
      const spaceGuids = body.data.map((one) => one.guid);
      for (const guid of spaceGuids) {
        const invalid = `Spaces with guids ['${guid}'] do not exist, or you do not have access to them.`;
        await authorize(controller, caller, { of: 'space', guid, may: 'space.manage', invalid });
      }
      await bindSecurityGroup(controller.db, group.guid, { lifecycle, spaceGuids });
      const bound = await visibleGroup(request, group.guid);
      const self = `${baseUrl}/v3/security_groups/${group.guid}/relationships/${lifecycle}_spaces`;
      return ok({ ...toMany(bound[`${lifecycle}_spaces`]), links: { self: { href: self } } });
    },
  }),
  route({
    method: 'DELETE',
    path: `/v3/security_groups/:guid/relationships/${lifecycle}_spaces/:space`,
    summary: `Unbind a security group from ${lifecycle} apps of a space`,
    permission: { kind: 'authenticated' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const { guid, space: spaceGuid } = params;
      const group = await visibleGroup(request, guid);
      const invalid = `Unable to unbind security group from space with guid '${spaceGuid}'. Ensure the space is bound to this security group.`;
      await authorize(controller, caller, { of: 'space', guid: spaceGuid, may: 'space.manage', invalid });
      if (!(await unbindSecurityGroup(controller.db, group.guid, { lifecycle, spaceGuid }))) {
        throw new PlatformError('UnprocessableEntity', invalid);
      }
      return noContent();
    },
  }),
]);
