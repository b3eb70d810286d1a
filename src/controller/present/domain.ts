import { presentMetadata } from '../api/metadata.ts';
import { toMany, toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { DomainRow } from '../store/domain.ts';

/** A domain as the API answers it. One without an organization is shared by all. */
export function presentDomain(row: DomainRow, baseUrl: string) {
  const self = `${baseUrl}/v3/domains/${row.guid}`;
  return {
    ...presentResource(row),
    name: row.name,
    internal: row.internal,
    router_group: null,
    supported_protocols: ['http'],
    relationships: { organization: toOne(row.organization_guid), shared_organizations: toMany(row.shared_with) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      route_reservations: { href: `${self}/route_reservations` },
      shared_organizations: { href: `${self}/relationships/shared_organizations` },
      ...(row.organization_guid === null
        ? {}
        : { organization: { href: `${baseUrl}/v3/organizations/${row.organization_guid}` } }),
    },
  };
}
