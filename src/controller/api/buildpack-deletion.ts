import { buildpackKey } from './buildpack-upload.ts';
import type { JobHandlers } from './job-worker.ts';

/** What is left to do once a buildpack's row is gone. */
export const buildpackJobs: JobHandlers = {
  'buildpack.delete': async (controller, job) => {
    await controller.blobs.delete(buildpackKey(job.resource_guid ?? ''));
    return undefined;
  },
};
