import { subjects } from '../../contract/subjects.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';

/** How long nodes have to speak up; their number is not known in advance. */
const findTimeoutMs = 1000;

/** The machines of the platform. */
export const nodeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/stackato/v1/nodes',
    summary: 'List the nodes with their roles and processes',
    permission: { kind: 'global-read' },
    handler: async ({ controller }) => {
      const everyone = { timeoutMs: findTimeoutMs, expected: Number.POSITIVE_INFINITY };
      const nodes = await controller.bus.request(subjects.nodeFind, [], {}, everyone);
      return ok({ resources: nodes.toSorted((a, b) => a.address.localeCompare(b.address)) });
    },
  }),
];
