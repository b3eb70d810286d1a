import { formatRoute } from '../../core/route-name.ts';
import { presentMetadata } from '../api/metadata.ts';
import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { DestinationRow } from '../store/destination.ts';
import type { RouteRow } from '../store/route.ts';

const DEFAULT_PORT = 8080;

/** A route as the API answers it. */
export function presentRoute(row: RouteRow, destinations: readonly DestinationRow[], baseUrl: string) {
  const self = `${baseUrl}/v3/routes/${row.guid}`;
  return {
    ...presentResource(row),
    protocol: row.port === null ? 'http' : 'tcp',
    host: row.host,
    path: row.path,
    port: row.port,
    url: formatRoute({ host: row.host, domain: row.domain_name, path: row.path, port: row.port }),
    destinations: destinations.map(presentDestination),
    options: row.options,
    relationships: { space: toOne(row.space_guid), domain: toOne(row.domain_guid) },
    ...presentMetadata(row),
    links: {
      self: { href: self },
      space: { href: `${baseUrl}/v3/spaces/${row.space_guid}` },
      domain: { href: `${baseUrl}/v3/domains/${row.domain_guid}` },
      destinations: { href: `${self}/destinations` },
    },
  };
}

/** A route's destinations, as their own endpoints answer them. */
export function presentDestinations(routeGuid: string, destinations: readonly DestinationRow[], baseUrl: string) {
  const route = `${baseUrl}/v3/routes/${routeGuid}`;
  return {
    destinations: destinations.map(presentDestination),
    links: { self: { href: `${route}/destinations` }, route: { href: route } },
  };
}

export function presentDestination(row: DestinationRow) {
  return {
    guid: row.guid,
    app: { guid: row.app_guid, process: { type: row.process_type } },
    weight: null,
    port: row.port ?? DEFAULT_PORT,
    protocol: row.protocol,
  };
}
