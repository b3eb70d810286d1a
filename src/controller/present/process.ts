import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { ProcessRow } from '../store/process.ts';

export const HIDDEN_IN_LISTS = '[PRIVATE DATA HIDDEN IN LISTS]';
export const HIDDEN = '[PRIVATE DATA HIDDEN]';

/** A process as the API answers it. `command` is what to show of the start command. */
export function presentProcess(row: ProcessRow, baseUrl: string, command: string | null) {
  const self = `${baseUrl}/v3/processes/${row.guid}`;
  return {
    ...presentResource(row),
    type: row.type,
    command,
    user: row.user_name ?? 'vcap',
    instances: row.instances,
    memory_in_mb: row.memory_in_mb,
    disk_in_mb: row.disk_in_mb,
    log_rate_limit_in_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
    health_check: {
      type: row.health_type,
      data: {
        timeout: row.health_timeout,
        invocation_timeout: row.health_invocation_timeout,
        interval: row.health_interval,
        ...(row.health_type === 'http' ? { endpoint: row.health_endpoint ?? '/' } : {}),
      },
    },
    readiness_health_check: {
      type: row.readiness_type,
      data: {
        invocation_timeout: row.readiness_invocation_timeout,
        interval: row.readiness_interval,
        ...(row.readiness_type === 'http' ? { endpoint: row.readiness_endpoint ?? '/' } : {}),
      },
    },
    relationships: {
      app: toOne(row.app_guid),
      revision: toOne(row.revision_guid),
    },
    version: row.version,
    ...presentMetadata(row),
    links: {
      self: { href: self },
      scale: { href: `${self}/actions/scale`, method: 'POST' },
      app: { href: `${baseUrl}/v3/apps/${row.app_guid}` },
      stats: { href: `${self}/stats` },
      process_instances: { href: `${self}/process_instances` },
    },
  };
}
