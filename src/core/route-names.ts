import { hostOfRoute } from './hosts-file.ts';

type Place = { readonly host: string; readonly port: number; readonly uris: readonly string[] };

/**
 * The host names below one domain that registrations name: each stays until nobody registered it for a while, or a
 * little after its last endpoint was unregistered, so that an app which restarts does not lose its name.
 */
export class RouteNames {
  readonly #domain: string;
  readonly #keptMs: number;
  readonly #leavingMs: number;
  /** Host → endpoint → until when, epoch ms. */
  readonly #names = new Map<string, Map<string, number>>();

  constructor(domain: string, { keptMs, leavingMs }: { readonly keptMs: number; readonly leavingMs: number }) {
    this.#domain = domain;
    this.#keptMs = keptMs;
    this.#leavingMs = leavingMs;
  }

  /** @returns whether a name came */
  registered(place: Place, nowMs: number): boolean {
    let hasNew = false;
    for (const host of this.#hostsOf(place)) {
      hasNew ||= !this.#names.has(host);
      const endpoints = this.#names.get(host) ?? new Map<string, number>();
      endpoints.set(`${place.host}:${place.port}`, nowMs + this.#keptMs);
      this.#names.set(host, endpoints);
    }
    return hasNew;
  }

  unregistered(place: Place, nowMs: number): void {
    for (const host of this.#hostsOf(place)) {
      const endpoints = this.#names.get(host);
      const endpoint = `${place.host}:${place.port}`;
      const untilMs = endpoints?.get(endpoint);
      if (untilMs !== undefined) endpoints?.set(endpoint, Math.min(untilMs, nowMs + this.#leavingMs));
    }
  }

  /** The names as of now. */
  list(nowMs: number): string[] {
    for (const [host, endpoints] of this.#names) {
      for (const [endpoint, untilMs] of endpoints) if (untilMs < nowMs) endpoints.delete(endpoint);
      if (endpoints.size === 0) this.#names.delete(host);
    }
    return [...this.#names.keys()];
  }

  #hostsOf({ uris }: Place): string[] {
    return uris.flatMap((uri) => hostOfRoute(uri, this.#domain) ?? []);
  }
}
