import { toMany } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { QuotaRow } from '../store/quota.ts';

/** An organization quota as the API answers it; null means unlimited. */
export function presentQuota(row: QuotaRow, baseUrl: string) {
  return {
    ...presentResource(row),
    name: row.name,
    apps: {
      total_memory_in_mb: row.total_memory_in_mb,
      per_process_memory_in_mb: row.per_process_memory_in_mb,
      total_instances: row.total_instances,
      per_app_tasks: row.per_app_tasks,
      log_rate_limit_in_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
    },
    services: {
      paid_services_allowed: row.paid_services_allowed,
      total_service_instances: row.total_service_instances,
      total_service_keys: row.total_service_keys,
    },
    routes: { total_routes: row.total_routes, total_reserved_ports: row.total_reserved_ports },
    domains: { total_domains: row.total_domains },
    relationships: { organizations: toMany(row.organizations) },
    links: { self: { href: `${baseUrl}/v3/organization_quotas/${row.guid}` } },
  };
}
