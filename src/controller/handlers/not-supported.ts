import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';

const POLICIES = '/networking/v1/external/policies';
const NO_POLICIES =
  'Network policies are not supported yet on this platform; apps reach one another by their routes, and security groups say what else they reach.';

/** What clients ask for that is not there yet: lists are empty, and making one is refused in words. */
export const notSupportedRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/space_quotas',
    summary: 'List space quotas: there are none yet',
    permission: { kind: 'authenticated' },
    query: {
      params: ['names', 'organization_guids', 'space_guids'],
      list: { order: ['created_at', 'updated_at', 'name'] },
    },
    handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
  }),
  refusal('/v3/space_quotas', 'space quotas are not supported yet on this platform; set a quota on the organization'),
  refusal('/v3/isolation_segments', 'isolation segments are not supported yet on this platform'),
  route({
    method: 'GET',
    path: POLICIES,
    summary: 'List network policies: there are none yet',
    permission: { kind: 'authenticated' },
    query: { params: ['id'] },
    handler: async () => ok({ total_policies: 0, policies: [] }),
  }),
  policyRefusal(POLICIES),
  policyRefusal(`${POLICIES}/delete`),
  route({
    method: 'GET',
    path: '/routing/v1/router_groups',
    summary: 'List router groups, of TCP routes: there are none yet',
    permission: { kind: 'authenticated' },
    query: { params: ['name'] },
    handler: async ({ query }) => {
      const [name] = query.values('name') ?? [];
      if (name === undefined) return ok([]);
      // This interface has error documents of its own.
      const body = { name: 'ResourceNotFoundError', message: `Router Group '${name}' not found` };
      return { status: 404, body };
    },
  }),
];

function refusal(path: string, detail: string): Route {
  return route({
    method: 'POST',
    path,
    summary: 'Not supported yet',
    permission: { kind: 'authenticated' },
    handler: async () => {
      // Not 422, which clients take for a name that is taken already, and for success.
      throw new PlatformError('BadRequest', detail);
    },
  });
}

function policyRefusal(path: string): Route {
  return route({
    method: 'POST',
    path,
    summary: 'Change network policies (not supported yet)',
    permission: { kind: 'authenticated' },
    // The policy interface has error documents of its own, and clients show the text of a 400 only.
    handler: async () => ({ status: 400, body: { error: NO_POLICIES } }),
  });
}
