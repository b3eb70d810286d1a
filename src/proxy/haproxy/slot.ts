import type { Endpoint } from '../proxy.ts';
import { mannerOf, parseManner } from './server.ts';

/** A server in a backend; one that left its route stays, in maintenance, until HAProxy lets it be deleted. */
export type SlotServer = {
  endpoint: Endpoint;
  state: 'up' | 'leaving';
};

/** A backend of HAProxy. Blank ones wait for a route, since 2.6 cannot make new ones at run time. */
export type Slot = {
  readonly name: string;
  uri: string | undefined;
  app: string;
  /** What HAProxy's map of routes says for the uri; undefined = the uri is not in it. */
  mapped: string | undefined;
  readonly servers: Map<string, SlotServer>;
  /** What HAProxy's map of instances says. */
  readonly targets: Map<string, string>;
};

/**
 * A backend as the map of routes has it: `backend|app|path`. When several apps share the route, `*<endpoints>*` is before
 * the app, which is then that of the oldest.
 */
export function routeValue(slot: Slot): string {
  const uri = slot.uri ?? '';
  const slash = uri.indexOf('/');
  const endpoints = endpointsOf(slot);
  const shared = isShared(endpoints) ? `*${endpoints.length}*` : '';
  return `${slot.name}|${shared}${slot.app}|${slash < 0 ? '/' : uri.slice(slash)}`;
}

/** Backend and app of a value in the map of routes. */
export function parseRouteValue(value: string): { name: string; app: string } {
  const [name = '', app = ''] = value.split('|');
  return { name, app: appOf(app) };
}

/** The app in a field that may tell that it shares its route. */
export function appOf(field: string): string {
  return field.slice(field.lastIndexOf('*') + 1);
}

/**
 * What the map of instances says of a backend, by key: `app:index` → the youngest server that is it; `~server` → its
 * manner when it is not plain; on a route of several apps also `#0`, `#1`, … → each server, and `@server` → its app.
 */
export function wantedTargets(slot: Slot): Map<string, string> {
  const wanted = new Map<string, string>();
  const endpoints = endpointsOf(slot);
  for (const endpoint of endpoints) {
    const { app, index, id } = endpoint;
    if (app && index) wanted.set(`${app}:${index}`, id);
    const manner = mannerOf(endpoint);
    if (manner !== undefined) wanted.set(`~${id}`, manner);
  }
  if (!isShared(endpoints)) return wanted;
  for (const [i, { id, app }] of endpoints.entries()) {
    wanted.set(`#${i}`, id);
    if (app) wanted.set(`@${id}`, app);
  }
  return wanted;
}

/** Takes one entry of the map of instances back into what is known of a running HAProxy's backend. */
export function readTarget(slot: Slot, key: string, value: string): void {
  slot.targets.set(key, value);
  const learn = (id: string, more: Partial<Endpoint>) => {
    const server = slot.servers.get(id);
    if (server) server.endpoint = { ...server.endpoint, ...more };
  };
  if (key.startsWith('#')) return;
  if (key.startsWith('~')) learn(key.slice(1), parseManner(value));
  else if (key.startsWith('@')) learn(key.slice(1), { app: value });
  else {
    const [app = '', index = ''] = key.split(':');
    learn(value, { app, index });
  }
}

export function endpointsOf(slot: Slot): Endpoint[] {
  return [...slot.servers.values()].filter(({ state }) => state === 'up').map(({ endpoint }) => endpoint);
}

function isShared(endpoints: readonly Endpoint[]): boolean {
  return endpoints.some(({ app }) => app !== endpoints[0]?.app);
}
