import type { Route } from './api/route.ts';
import { destinationRoutes } from './handlers/destination.ts';
import { domainRoutes } from './handlers/domain.ts';
import { domainSharingRoutes } from './handlers/domain-sharing.ts';
import { jobRoutes } from './handlers/job.ts';
import { organizationRoutes } from './handlers/organization.ts';
import { roleRoutes } from './handlers/role.ts';
import { rootRoutes } from './handlers/root.ts';
import { routeRoutes } from './handlers/route.ts';
import { spaceRoutes } from './handlers/space.ts';
import { spaceFeatureRoutes } from './handlers/space-feature.ts';
import { userRoutes } from './handlers/user.ts';

/** Routes of organizations and what is in them, apps apart. */
export const organizationSideRoutes: readonly Route[] = [
  ...rootRoutes,
  ...jobRoutes,
  ...organizationRoutes,
  ...spaceRoutes,
  ...spaceFeatureRoutes,
  ...userRoutes,
  ...roleRoutes,
  ...domainRoutes,
  ...domainSharingRoutes,
  ...routeRoutes,
  ...destinationRoutes,
];

/** Every route of the API. */
export const controllerRoutes: readonly Route[] = [...organizationSideRoutes];
