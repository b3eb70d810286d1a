import { candidateUris, parseUri } from './uri.ts';

/** One place a request can go. */
export type Endpoint = {
  /** The instance id, unique within a pool; requests carry it on and stickiness names it. */
  readonly id: string;
  /** App guid; empty for endpoints of the platform itself. */
  readonly app: string;
  readonly host: string;
  readonly port: number;
  readonly index: string;
  readonly protocol: 'http1' | 'http2';
  /** Spoken to by TLS only, and its certificate must be for this DNS name. */
  readonly tls?: { readonly name: string };
};

/** All that answers at one uri (`host`, `host/path` or `*.domain`). `app` is for headers: that of the oldest endpoint. */
export type Pool = { readonly uri: string; readonly app: string; readonly endpoints: readonly Endpoint[] };

/** Why an endpoint left the table. */
export type RemovalReason = 'unregistered' | 'stale' | 'address-taken' | 'moved';

/**
 * One difference between two tables. `add-route` also changes the app of a known uri; `add-endpoint` also replaces
 * what is known of the endpoint with the same id.
 */
export type RouteChange =
  | { readonly do: 'add-route'; readonly uri: string; readonly app: string }
  | { readonly do: 'remove-route'; readonly uri: string }
  | { readonly do: 'add-endpoint'; readonly uri: string; readonly endpoint: Endpoint }
  | {
      readonly do: 'remove-endpoint';
      readonly uri: string;
      readonly endpoint: Endpoint;
      readonly because: RemovalReason;
    };

/** The fields of `router.register` and `router.unregister` that decide. */
export type RouteMessage = {
  readonly host: string;
  readonly port: number;
  /** Not 0: the port in place of the other one, spoken to by TLS. */
  readonly tls_port?: number | undefined;
  readonly server_cert_domain_san?: string | undefined;
  readonly uris: readonly string[];
  readonly app?: string | undefined;
  readonly protocol?: string | undefined;
  readonly private_instance_id?: string | undefined;
  readonly private_instance_index?: string | undefined;
  readonly stale_threshold_in_seconds?: number | undefined;
};

type Entry = { readonly endpoint: Endpoint; seenAtMs: number; readonly thresholdMs: number };
type Route = { app: string; readonly entries: Map<string, Entry> };
type Holder = { readonly endpoint: Endpoint; readonly uris: Set<string> };

/**
 * What a router routes, decided from registrations alone. A place belongs to one instance at a time, so that a
 * reused one never gets the traffic of its former holder. Methods return what changed; time is passed in, epoch ms.
 */
export class RouteTable {
  readonly #routes = new Map<string, Route>();
  readonly #holders = new Map<string, Holder>();
  readonly #thresholdMs: number;

  /** @param thresholdMs an endpoint silent for longer is stale; a registration may only shorten it */
  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs;
  }

  /** Adds or refreshes an endpoint at each of its uris. Uris that are none are passed over. */
  register(message: RouteMessage, nowMs: number): RouteChange[] {
    const endpoint = endpointOf(message);
    const changes: RouteChange[] = [];
    const holder = this.#holders.get(placeOf(endpoint));
    if (holder && !isSameInstance(holder.endpoint, endpoint)) {
      for (const uri of [...holder.uris]) this.#remove(uri, holder.endpoint.id, 'address-taken', changes);
    }
    const thresholdMs = this.#thresholdOf(message);
    for (const uri of keysOf(message)) this.#put(uri, { endpoint, seenAtMs: nowMs, thresholdMs }, changes);
    return changes;
  }

  /** Removes an endpoint from each of the uris named, when it is the same instance of the same app. */
  unregister(message: RouteMessage): RouteChange[] {
    const changes: RouteChange[] = [];
    const holder = this.#holders.get(placeOf(endpointOf(message)));
    if (!holder) return changes;
    const { id, app } = holder.endpoint;
    if ((message.private_instance_id || id) !== id || (message.app ?? app) !== app) return changes;
    for (const uri of keysOf(message)) {
      if (holder.uris.has(uri)) this.#remove(uri, id, 'unregistered', changes);
    }
    return changes;
  }

  /** Removes every endpoint that was silent for longer than its threshold. */
  prune(nowMs: number): RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [uri, route] of this.#routes) {
      for (const [id, entry] of route.entries) {
        if (nowMs - entry.seenAtMs > entry.thresholdMs) this.#remove(uri, id, 'stale', changes);
      }
    }
    return changes;
  }

  /** Removes the endpoints that `mayGo` and that were not registered since then: whoever had them has said all of its own. */
  forget(sinceMs: number, mayGo: (endpoint: Endpoint) => boolean): RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [uri, route] of this.#routes) {
      for (const [id, entry] of route.entries) {
        if (entry.seenAtMs < sinceMs && mayGo(entry.endpoint)) this.#remove(uri, id, 'stale', changes);
      }
    }
    return changes;
  }

  /** Takes over a table that a data plane already has, as if all of it had just been registered. */
  seed(pools: readonly Pool[], nowMs: number): void {
    for (const pool of pools) {
      for (const endpoint of pool.endpoints) {
        this.#put(pool.uri, { endpoint, seenAtMs: nowMs, thresholdMs: this.#thresholdMs }, []);
      }
    }
  }

  /** Where a request goes: the best uri that has endpoints. */
  lookup(host: string, path: string): Pool | undefined {
    for (const uri of candidateUris(host, path)) if (this.#routes.has(uri)) return this.pool(uri);
    return undefined;
  }

  pool(uri: string): Pool | undefined {
    const route = this.#routes.get(uri);
    return route && { uri, app: route.app, endpoints: [...route.entries.values()].map(({ endpoint }) => endpoint) };
  }

  pools(): Pool[] {
    return [...this.#routes.keys()].map((uri) => this.pool(uri)).filter((pool) => pool !== undefined);
  }

  /** Number of uris, and of apps that have any. */
  counts(): { uris: number; apps: number } {
    const apps = new Set<string>();
    for (const { endpoint } of this.#holders.values()) if (endpoint.app) apps.add(endpoint.app);
    return { uris: this.#routes.size, apps: apps.size };
  }

  #put(uri: string, entry: Entry, changes: RouteChange[]): void {
    const { endpoint } = entry;
    const known = this.#routes.get(uri)?.entries.get(endpoint.id);
    if (known && placeOf(known.endpoint) !== placeOf(endpoint)) this.#remove(uri, endpoint.id, 'moved', changes);
    let route = this.#routes.get(uri);
    if (!route) {
      route = { app: endpoint.app, entries: new Map() };
      this.#routes.set(uri, route);
      changes.push({ do: 'add-route', uri, app: endpoint.app });
    }
    const before = route.entries.get(endpoint.id)?.endpoint;
    route.entries.set(endpoint.id, entry);
    this.#hold(uri, endpoint);
    if (!before || !isEqual(before, endpoint)) changes.push({ do: 'add-endpoint', uri, endpoint });
    this.#nameApp(uri, route, changes);
  }

  #hold(uri: string, endpoint: Endpoint): void {
    const place = placeOf(endpoint);
    const holder = this.#holders.get(place);
    if (holder) holder.uris.add(uri);
    else this.#holders.set(place, { endpoint, uris: new Set([uri]) });
  }

  #remove(uri: string, id: string, because: RemovalReason, changes: RouteChange[]): void {
    const route = this.#routes.get(uri);
    const entry = route?.entries.get(id);
    if (!route || !entry) return;
    route.entries.delete(id);
    const place = placeOf(entry.endpoint);
    const uris = this.#holders.get(place)?.uris;
    uris?.delete(uri);
    if (uris?.size === 0) this.#holders.delete(place);
    changes.push({ do: 'remove-endpoint', uri, endpoint: entry.endpoint, because });
    if (route.entries.size > 0) this.#nameApp(uri, route, changes);
    else {
      this.#routes.delete(uri);
      changes.push({ do: 'remove-route', uri });
    }
  }

  #nameApp(uri: string, route: Route, changes: RouteChange[]): void {
    const [oldest] = route.entries.values();
    if (!oldest || oldest.endpoint.app === route.app) return;
    route.app = oldest.endpoint.app;
    changes.push({ do: 'add-route', uri, app: route.app });
  }

  #thresholdOf(message: RouteMessage): number {
    const asked = (message.stale_threshold_in_seconds ?? 0) * 1000;
    return asked > 0 ? Math.min(asked, this.#thresholdMs) : this.#thresholdMs;
  }
}

/** The endpoint a registration is about; without an instance id, its address is its id. */
export function endpointOf(message: RouteMessage): Endpoint {
  const to = {
    host: message.host,
    port: message.tls_port || message.port,
    ...(message.tls_port ? { tls: { name: message.server_cert_domain_san ?? '' } } : {}),
  };
  return {
    ...to,
    id: message.private_instance_id || placeOf(to),
    app: message.app ?? '',
    index: message.private_instance_index ?? '',
    protocol: message.protocol === 'http2' ? 'http2' : 'http1',
  };
}

/** What makes two endpoints the same place: the address, and by TLS the name, since one port can be that of many. */
export function placeOf(endpoint: Pick<Endpoint, 'host' | 'port' | 'tls'>): string {
  return endpoint.tls ? `${addressOf(endpoint)}:${endpoint.tls.name}` : addressOf(endpoint);
}

/** `host:port`. */
export function addressOf(endpoint: { readonly host: string; readonly port: number }): string {
  return `${endpoint.host}:${endpoint.port}`;
}

function keysOf(message: RouteMessage): Set<string> {
  return new Set(message.uris.map(parseUri).filter((key) => key !== undefined));
}

function isSameInstance(a: Endpoint, b: Endpoint): boolean {
  return a.id === b.id && a.app === b.app;
}

function isEqual(a: Endpoint, b: Endpoint): boolean {
  return isSameInstance(a, b) && a.index === b.index && a.protocol === b.protocol;
}
