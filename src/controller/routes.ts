import type { Route } from './api/route.ts';
import { auditEventRoutes } from './handlers/audit-event.ts';
import { buildpackRoutes } from './handlers/buildpack.ts';
import { destinationRoutes } from './handlers/destination.ts';
import { domainRoutes } from './handlers/domain.ts';
import { domainRenameRoutes } from './handlers/domain-rename.ts';
import { domainSharingRoutes } from './handlers/domain-sharing.ts';
import { environmentVariableGroupRoutes } from './handlers/environment-variable-group.ts';
import { featureFlagRoutes } from './handlers/feature-flag.ts';
import { jobRoutes } from './handlers/job.ts';
import { nodeRoutes } from './handlers/node.ts';
import { notSupportedRoutes } from './handlers/not-supported.ts';
import { organizationRoutes } from './handlers/organization.ts';
import { organizationQuotaRoutes } from './handlers/organization-quota.ts';
import { organizationUsageRoutes } from './handlers/organization-usage.ts';
import { roleRoutes } from './handlers/role.ts';
import { rootRoutes } from './handlers/root.ts';
import { routeRoutes } from './handlers/route.ts';
import { routeSharingRoutes } from './handlers/route-sharing.ts';
import { routesRepairRoutes } from './handlers/routes-repair.ts';
import { securityGroupRoutes } from './handlers/security-group.ts';
import { securityGroupSpaceRoutes } from './handlers/security-group-space.ts';
import { serviceRoutes } from './handlers/service.ts';
import { spaceRoutes } from './handlers/space.ts';
import { spaceFeatureRoutes } from './handlers/space-feature.ts';
import { stackRoutes } from './handlers/stack.ts';
import { userRoutes } from './handlers/user.ts';

/** Routes of organizations and what is in them, apps apart. */
export const organizationSideRoutes: readonly Route[] = [
  ...rootRoutes,
  ...jobRoutes,
  ...nodeRoutes,
  ...organizationRoutes,
  ...spaceRoutes,
  ...spaceFeatureRoutes,
  ...userRoutes,
  ...roleRoutes,
  ...domainRoutes,
  ...domainSharingRoutes,
  ...domainRenameRoutes,
  ...routesRepairRoutes,
  ...routeRoutes,
  ...routeSharingRoutes,
  ...destinationRoutes,
  ...auditEventRoutes,
  ...featureFlagRoutes,
  ...environmentVariableGroupRoutes,
  ...serviceRoutes,
  ...notSupportedRoutes,
  ...stackRoutes,
  ...buildpackRoutes,
  ...organizationQuotaRoutes,
  ...organizationUsageRoutes,
  ...securityGroupRoutes,
  ...securityGroupSpaceRoutes,
];

/** Every route of the API. */
export const controllerRoutes: readonly Route[] = [...organizationSideRoutes];
