import Type from 'typebox';
import { type ApiClient, query } from '../api/api-client.ts';
import { type App, Route } from '../api/resources.ts';
import { listDomains } from '../api/spaces.ts';
import { ClientError } from '../client-error.ts';
import type { Scope } from '../context.ts';

type Address = { readonly host: string; readonly path: string; readonly domain: { guid: string; name: string } };

/** Takes a URL or route apart by the organization's domains; the longest that fits counts. */
export async function addressOf(scope: Scope, written: string): Promise<Address> {
  const text = written
    .trim()
    .replace(/^https?:\/\//i, '')
    .replace(/\/+$/, '');
  const slash = text.indexOf('/');
  const name = (slash < 0 ? text : text.slice(0, slash)).toLowerCase().replace(/:\d+$/, '');
  const path = slash < 0 ? '' : text.slice(slash);
  const domains = await listDomains(scope.api, scope.organization);
  const domain = domains
    .filter((one) => name === one.name || name.endsWith(`.${one.name}`))
    .sort((a, b) => b.name.length - a.name.length)[0];
  if (!domain) {
    throw new ClientError(`'${written}' is in none of the domains of ${scope.organization.name}`, {
      next: `Use one of: ${domains.map((one) => `NAME.${one.name}`).join(', ') || 'none yet'}`,
    });
  }
  return { host: name === domain.name ? '' : name.slice(0, -domain.name.length - 1), path, domain };
}

/** Leads a route to an app; makes it when there is none. */
export async function mapRoute(scope: Scope, app: App, written: string): Promise<Route> {
  const { api, space } = scope;
  const address = await addressOf(scope, written);
  const route = (await findRoute(api, address)) ?? (await createRoute(api, space.guid, address));
  await api.send('POST', `/v3/routes/${route.guid}/destinations`, { destinations: [{ app: { guid: app.guid } }] });
  return route;
}

/** @throws ClientError when the route does not lead to the app */
export async function unmapRoute(scope: Scope, app: App, written: string): Promise<Route> {
  const { api } = scope;
  const route = await findRoute(api, await addressOf(scope, written));
  const destinations = route?.destinations.filter((one) => one.app.guid === app.guid) ?? [];
  if (!route || destinations.length === 0) {
    throw new ClientError(`${written} does not lead to ${app.name}`, {
      next: `See its urls: stackato app ${app.name}`,
    });
  }
  for (const { guid } of destinations) await api.send('DELETE', `/v3/routes/${route.guid}/destinations/${guid}`);
  return route;
}

async function findRoute(api: ApiClient, { host, path, domain }: Address): Promise<Route | undefined> {
  const fields = { domain_guids: domain.guid, hosts: host, paths: path, per_page: 1, page: 1 };
  const { resources } = await api.get(Type.Object({ resources: Type.Array(Route) }), `/v3/routes${query(fields)}`);
  return resources[0];
}

function createRoute(api: ApiClient, spaceGuid: string, { host, path, domain }: Address): Promise<Route> {
  return api.post(Route, '/v3/routes', {
    ...(host === '' ? {} : { host }),
    ...(path === '' ? {} : { path }),
    relationships: { space: { data: { guid: spaceGuid } }, domain: { data: { guid: domain.guid } } },
  });
}
