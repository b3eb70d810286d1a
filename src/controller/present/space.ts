import Type from 'typebox';
import { MetadataBody, presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { SpaceRow } from '../store/space.ts';

export const SpaceBody = Type.Object({
  guid: Type.String(),
  created_at: Type.String(),
  updated_at: Type.String(),
  name: Type.String(),
  relationships: Type.Object({ organization: Type.Unknown(), quota: Type.Unknown() }),
  metadata: MetadataBody,
  links: Type.Unknown(),
});

/** A space as the API answers it. */
export function presentSpace(row: SpaceRow, baseUrl: string) {
  const self = `${baseUrl}/v3/spaces/${row.guid}`;
  return {
    ...presentResource(row),
    name: row.name,
    relationships: { organization: toOne(row.organization_guid), quota: toOne(null) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      organization: { href: `${baseUrl}/v3/organizations/${row.organization_guid}` },
      features: { href: `${self}/features` },
      apply_manifest: { href: `${self}/actions/apply_manifest`, method: 'POST' },
    },
  };
}

/** The one feature that spaces have. */
export function presentSpaceFeature(row: SpaceRow) {
  return { name: 'ssh', description: 'Enable SSHing into apps in the space.', enabled: row.ssh_enabled };
}
