import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { DropletRow } from '../store/droplet.ts';
import { HIDDEN } from './process.ts';

/** A droplet as the API answers it; start commands only to those who may see secrets. */
export function presentDroplet(row: DropletRow, baseUrl: string, canSeeSecrets: boolean) {
  const self = `${baseUrl}/v3/droplets/${row.guid}`;
  const app = `${baseUrl}/v3/apps/${row.app_guid}`;
  const types = Object.entries(row.process_types);
  return {
    ...presentResource(row),
    state: row.state,
    error: row.error,
    lifecycle: { type: 'buildpack', data: {} },
    execution_metadata: '',
    process_types: Object.fromEntries(types.map(([type, command]) => [type, canSeeSecrets ? command : HIDDEN])),
    checksum: row.sha256 === null ? null : { type: 'sha256', value: row.sha256 },
    buildpacks: row.buildpacks,
    stack: row.stack,
    image: null,
    relationships: { app: toOne(row.app_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      app: { href: app },
      assign_current_droplet: { href: `${app}/relationships/current_droplet`, method: 'PATCH' },
      ...(row.package_guid === null ? {} : { package: { href: `${baseUrl}/v3/packages/${row.package_guid}` } }),
      ...(row.state === 'STAGED' ? { download: { href: `${self}/download` } } : {}),
      ...(row.state === 'AWAITING_UPLOAD' ? { upload: { href: `${self}/upload`, method: 'POST' } } : {}),
    },
  };
}
