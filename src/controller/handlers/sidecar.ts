import { listed } from '../api/list.ts';
import { type Route, route } from '../api/route.ts';

const list = { order: ['created_at', 'updated_at'] } as const;

/** Sidecars are not supported yet: nothing has any. */
export const sidecarRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/processes/:guid/sidecars',
    summary: 'List the sidecars of a process',
    permission: { kind: 'resource', of: 'process', may: 'space.read' },
    query: { list },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/sidecars',
    summary: 'List the sidecars of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    query: { list },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
];
