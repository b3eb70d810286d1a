import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { AppRow } from '../store/app.ts';

/** An app as the API answers it. */
export function presentApp(row: AppRow, baseUrl: string) {
  const self = `${baseUrl}/v3/apps/${row.guid}`;
  const link = (path: string) => ({ href: `${self}/${path}` });
  return {
    ...presentResource(row),
    name: row.name,
    state: row.state,
    lifecycle: { type: 'buildpack', data: { buildpacks: row.buildpacks, stack: row.stack } },
    relationships: { space: toOne(row.space_guid), current_droplet: toOne(row.droplet_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      environment_variables: link('environment_variables'),
      space: { href: `${baseUrl}/v3/spaces/${row.space_guid}` },
      processes: link('processes'),
      packages: link('packages'),
      current_droplet: link('droplets/current'),
      droplets: link('droplets'),
      tasks: link('tasks'),
      start: { ...link('actions/start'), method: 'POST' },
      stop: { ...link('actions/stop'), method: 'POST' },
      revisions: link('revisions'),
      deployed_revisions: link('revisions/deployed'),
      features: link('features'),
    },
  };
}
