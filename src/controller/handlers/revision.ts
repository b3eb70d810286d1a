import { listed } from '../api/list.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { openEnvironment } from '../app-environment.ts';
import { presentRevision } from '../present/revision.ts';
import { getRevision, listRevisions } from '../store/revision.ts';

const list = { order: ['created_at', 'updated_at', 'version'], isLabelled: true } as const;

/** Revisions: what an app was started with. */
export const revisionRoutes: readonly Route[] = [
  ...[false, true].map((isDeployed) =>
    route({
      method: 'GET',
      path: (isDeployed
        ? '/v3/apps/:guid/revisions/deployed'
        : '/v3/apps/:guid/revisions') as '/v3/apps/:guid/revisions',
      summary: isDeployed ? 'List the revisions that run' : 'List the revisions of an app',
      permission: { kind: 'resource', of: 'app', may: 'space.read' },
      query: { params: ['versions'], list },
      handler: async (request) => {
        const { controller, query, params, baseUrl } = request;
        const page = await listRevisions(controller.db, query, { appGuid: params.guid, isDeployed });
        return listed(request, page, { present: (row) => presentRevision(row, baseUrl) });
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/v3/revisions/:guid',
    summary: 'Get a revision',
    permission: { kind: 'resource', of: 'revision', may: 'space.read' },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentRevision(await getRevision(controller.db, params.guid), baseUrl)),
  }),
  route({
    method: 'GET',
    path: '/v3/revisions/:guid/environment_variables',
    summary: 'Get the variables of a revision',
    permission: { kind: 'resource', of: 'revision', may: 'space.read-environment' },
    handler: async ({ controller, params, baseUrl }) => {
      const revision = await getRevision(controller.db, params.guid);
      const self = `${baseUrl}/v3/revisions/${revision.guid}`;
      return ok({
        var: openEnvironment(controller.box, revision.env_sealed),
        links: { self: { href: `${self}/environment_variables` }, revision: { href: self } },
      });
    },
  }),
];
