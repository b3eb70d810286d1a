import { presentResource } from '../api/timestamp.ts';
import type { AuditEventRow } from '../store/audit-event.ts';

/** An audit event as the API answers it. */
export function presentAuditEvent(row: AuditEventRow, baseUrl: string) {
  return {
    ...presentResource(row),
    type: row.type,
    actor: { guid: row.actor_guid, type: row.actor_type, name: row.actor_name },
    target: { guid: row.target_guid, type: row.target_type, name: row.target_name },
    data: row.data,
    space: row.space_guid === null ? null : { guid: row.space_guid },
    organization: row.organization_guid === null ? null : { guid: row.organization_guid },
    links: { self: { href: `${baseUrl}/v3/audit_events/${row.guid}` } },
  };
}
