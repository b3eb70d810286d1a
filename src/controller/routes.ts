import type { Route } from './api/route.ts';
import { jobRoutes } from './handlers/job.ts';
import { organizationRoutes } from './handlers/organization.ts';
import { rootRoutes } from './handlers/root.ts';

/** Every route of the API. */
export const controllerRoutes: readonly Route[] = [...rootRoutes, ...jobRoutes, ...organizationRoutes];
