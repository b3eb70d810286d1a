import { PlatformError } from '../../contract/errors.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentJob } from '../present/job.ts';
import { findJob } from '../store/job.ts';

/** Jobs; a guid that nobody can guess is all it takes to read one. */
export const jobRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/jobs/:guid',
    summary: 'Get a job',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, params, baseUrl }) => {
      const job = await findJob(controller.db, params.guid);
      if (!job) throw new PlatformError('ResourceNotFound', 'Job not found');
      return ok(presentJob(job, baseUrl));
    },
  }),
];
