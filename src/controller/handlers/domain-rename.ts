import { decode } from '../../contract/decode.ts';
import { DomainRename } from '../../contract/domain-rename.ts';
import { PlatformError } from '../../contract/errors.ts';
import { judgeDomain } from '../../core/cluster-domain.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { listAppsOn, readDomainFacts, renameDomain } from '../store/domain-rename.ts';

/** What kato on the Core asks when the cluster gets another domain. */
export const domainRenameRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/internal/v1/domain_rename',
    summary: "Give the platform's domain another name (kato)",
    permission: { kind: 'signed' },
    query: { params: ['expires', 'signature'] },
    handler: async ({ controller, body }) => {
      const { from, to, keeps } = decode(DomainRename, body, 'request');
      const stayed = await controller.db.transaction().execute(async (tx) => {
        const refused = judgeDomain(await readDomainFacts(tx, { from, to, keeps }));
        if (refused !== undefined) throw new PlatformError('UnprocessableEntity', refused);
        return renameDomain(tx, { from, to, keeps, guid: controller.random.guid() });
      });
      // Also when it was renamed before: whoever did it may not have come to this.
      const apps = await listAppsOn(controller.db, [to]);
      await controller.events.onRoutesChanged(apps);
      return ok({ apps: apps.length, stayed });
    },
  }),
];
