import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { formatTime, presentResource } from '../api/timestamp.ts';
import type { DeploymentRow } from '../store/deployment.ts';

/** A deployment as the API answers it. */
export function presentDeployment(row: DeploymentRow, baseUrl: string) {
  const self = `${baseUrl}/v3/deployments/${row.guid}`;
  return {
    ...presentResource(row),
    state: row.status_reason,
    status: {
      value: row.status_value,
      reason: row.status_reason,
      details: {
        last_successful_healthcheck: formatTime(row.last_healthy_at),
        last_status_change: formatTime(row.status_changed_at),
      },
    },
    strategy: row.strategy,
    options: { max_in_flight: row.max_in_flight },
    droplet: { guid: row.droplet_guid },
    previous_droplet: { guid: row.previous_droplet_guid },
    new_processes: [{ guid: row.new_process_guid, type: 'web' }],
    relationships: { app: toOne(row.app_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      app: { href: `${baseUrl}/v3/apps/${row.app_guid}` },
      cancel: { href: `${self}/actions/cancel`, method: 'POST' },
    },
  };
}
