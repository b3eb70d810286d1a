import Type from 'typebox';
import { MetadataBody, presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { OrganizationRow } from '../store/organization.ts';

export const OrganizationBody = Type.Object({
  guid: Type.String(),
  created_at: Type.String(),
  updated_at: Type.String(),
  name: Type.String(),
  suspended: Type.Boolean(),
  relationships: Type.Object({ quota: Type.Unknown() }),
  metadata: MetadataBody,
  links: Type.Unknown(),
});

/** An organization as the API answers it. */
export function presentOrganization(row: OrganizationRow, baseUrl: string) {
  const self = `${baseUrl}/v3/organizations/${row.guid}`;
  return {
    ...presentResource(row),
    name: row.name,
    suspended: row.suspended,
    relationships: { quota: toOne(row.quota_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      domains: { href: `${self}/domains` },
      default_domain: { href: `${self}/domains/default` },
      quota: { href: `${baseUrl}/v3/organization_quotas/${row.quota_guid}` },
    },
  };
}
