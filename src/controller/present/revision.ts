import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { RevisionRow } from '../store/revision.ts';

/** A revision as the API answers it. */
export function presentRevision(row: RevisionRow, baseUrl: string) {
  const self = `${baseUrl}/v3/revisions/${row.guid}`;
  return {
    ...presentResource(row),
    version: row.version,
    droplet: { guid: row.droplet_guid },
    processes: Object.fromEntries(Object.entries(row.commands).map(([type, command]) => [type, { command }])),
    sidecars: [],
    description: row.description,
    deployable: true,
    relationships: { app: toOne(row.app_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      app: { href: `${baseUrl}/v3/apps/${row.app_guid}` },
      environment_variables: { href: `${self}/environment_variables` },
    },
  };
}
