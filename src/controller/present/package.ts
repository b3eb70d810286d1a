import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { PackageRow } from '../store/package.ts';

/** A package as the API answers it. */
export function presentPackage(row: PackageRow, baseUrl: string) {
  const self = `${baseUrl}/v3/packages/${row.guid}`;
  return {
    ...presentResource(row),
    type: 'bits',
    data: { checksum: { type: 'sha256', value: row.sha256 }, error: row.error },
    state: row.state,
    relationships: { app: toOne(row.app_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      upload: { href: `${self}/upload`, method: 'POST' },
      download: { href: `${self}/download`, method: 'GET' },
      app: { href: `${baseUrl}/v3/apps/${row.app_guid}` },
    },
  };
}
