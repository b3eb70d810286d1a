import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { type Route, route } from '../api/route.ts';

const filters = ['names', 'states', 'app_guids', 'space_guids', 'organization_guids', 'sequence_ids'] as const;
const list = { order: ['created_at', 'updated_at'], isLabelled: true } as const;

/** Tasks are not supported yet: none exists, and none can be created. */
export const taskRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/tasks',
    summary: 'List tasks',
    permission: { kind: 'authenticated' },
    query: { params: filters, list },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/tasks',
    summary: 'List the tasks of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    query: { params: filters, list },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
  route({
    method: 'POST',
    path: '/v3/apps/:guid/tasks',
    summary: 'Run a task (not supported yet)',
    permission: { kind: 'resource', of: 'app', may: 'space.operate' },
    handler: async () => {
      throw new PlatformError('UnprocessableEntity', 'Tasks are not supported yet on this platform.');
    },
  }),
];
