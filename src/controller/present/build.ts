import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { BuildRow } from '../store/build.ts';

/** A build as the API answers it. */
export function presentBuild(row: BuildRow, baseUrl: string) {
  const droplet = row.state === 'STAGED' && row.droplet_guid !== null ? row.droplet_guid : undefined;
  return {
    ...presentResource(row),
    state: row.state,
    error: row.error,
    staging_memory_in_mb: row.memory_in_mb,
    staging_disk_in_mb: row.disk_in_mb,
    staging_log_rate_limit_bytes_per_second: row.log_rate_limit_bytes_s,
    lifecycle: { type: 'buildpack', data: { buildpacks: row.buildpacks, stack: row.stack } },
    package: { guid: row.package_guid },
    droplet: droplet === undefined ? null : { guid: droplet },
    created_by: { guid: row.created_by_guid, name: row.created_by_name, email: row.created_by_email },
    relationships: { app: toOne(row.app_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: `${baseUrl}/v3/builds/${row.guid}` },
      app: { href: `${baseUrl}/v3/apps/${row.app_guid}` },
      ...(droplet === undefined ? {} : { droplet: { href: `${baseUrl}/v3/droplets/${droplet}` } }),
    },
  };
}
