import { presentMetadata } from '../api/metadata.ts';
import { presentResource } from '../api/timestamp.ts';
import type { BuildpackRow } from '../store/buildpack.ts';

/** A buildpack as the API answers it. */
export function presentBuildpack(row: BuildpackRow, baseUrl: string) {
  const self = `${baseUrl}/v3/buildpacks/${row.guid}`;
  return {
    ...presentResource(row),
    name: row.name,
    state: row.state,
    filename: row.filename,
    stack: row.stack,
    position: row.position,
    enabled: row.enabled,
    locked: row.locked,
    lifecycle: row.lifecycle,
    ...presentMetadata(row),
    links: { self: { href: self }, upload: { href: `${self}/upload`, method: 'POST' } },
  };
}
