import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { type Route, route } from '../api/route.ts';
import { presentDeployment } from '../present/deployment.ts';
import { type DeploymentFilter, listDeployments } from '../store/deployment.ts';

const filters = ['app_guids', 'states', 'status_values', 'status_reasons'] as const satisfies DeploymentFilter[];

/** Deployments without downtime are not supported yet: none can be created. */
export const deploymentRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/deployments',
    summary: 'List deployments',
    permission: { kind: 'authenticated' },
    query: { params: filters, list: { order: ['created_at', 'updated_at'], isLabelled: true } },
    handler: async (request) => {
      const { controller, caller, query, baseUrl } = request;
      const page = await listDeployments(controller.db, caller, query);
      return listed(request, page, { present: (row) => presentDeployment(row, baseUrl) });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/deployments',
    summary: 'Deploy without downtime (not supported yet)',
    permission: { kind: 'related', of: 'app', at: 'relationships.app', may: 'space.operate' },
    handler: async () => {
      throw new PlatformError(
        'UnprocessableEntity',
        'Deployments are not supported yet on this platform; push, restart or restage without --strategy.',
      );
    },
  }),
];
