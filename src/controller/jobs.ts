import type { JobHandlers } from './api/job-worker.ts';

/** The work of every job, by operation. */
export const controllerJobs: JobHandlers = {};
