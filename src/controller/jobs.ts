import { buildpackJobs } from './api/buildpack-deletion.ts';
import type { JobHandlers } from './api/job-worker.ts';
import { deletionJobs } from './api/space-deletion.ts';

/** The work of every job, by operation. */
export const controllerJobs: JobHandlers = { ...deletionJobs, ...buildpackJobs };
