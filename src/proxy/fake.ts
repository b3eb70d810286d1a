import { addressOf } from '../core/route-table.ts';
import { candidateUris, hostOf } from '../core/uri.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { AccessRecord, DataPlane, Endpoint, Pool, ProxyChange } from './proxy.ts';

export type FakeRequest = {
  readonly host: string;
  /** Path and query; default `/`. */
  readonly path?: string;
  readonly method?: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type FakeResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What listens at an address of the fake network; throws when it is dead. */
export type FakeHandler = (request: Required<FakeRequest>) => FakeResponse;

type FakePool = { app: string; readonly endpoints: Map<string, Endpoint> };

/** A proxy without sockets: routes requests made with `request` to handlers put at addresses with `listen`. */
export class FakeProxy implements DataPlane {
  readonly #pools = new Map<string, FakePool>();
  readonly #handlers = new Map<string, FakeHandler>();
  readonly #listeners = new Set<(record: AccessRecord) => void>();
  readonly #clock: Clock;
  readonly #random: Random;
  #state: 'stopped' | 'running' | 'left' = 'stopped';
  /** What health checks are told. */
  isCurrent = true;

  constructor(options: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** Puts something at `host:port`; undefined takes it away. */
  listen(address: string, handler: FakeHandler | undefined): void {
    if (handler) this.#handlers.set(address, handler);
    else this.#handlers.delete(address);
  }

  /** Sends a request through the proxy. @throws Error when it does not accept traffic */
  request(request: FakeRequest): FakeResponse {
    if (this.#state === 'stopped') throw new Error('connection refused');
    const full = { path: '/', method: 'GET', headers: {}, ...request };
    const requestId = this.#random.guid();
    const { response, endpoint } = this.#answer(full, requestId);
    if (this.#state === 'running') this.#record(full, { response, endpoint, requestId });
    return { ...response, headers: { 'x-vcap-request-id': requestId, ...response.headers } };
  }

  async vouch(isCurrent: boolean): Promise<void> {
    this.isCurrent = isCurrent;
  }

  async adopt(): Promise<readonly Pool[] | undefined> {
    if (this.#state !== 'left') return undefined;
    this.#state = 'running';
    return [...this.#pools].map(([uri, { app, endpoints }]) => ({ uri, app, endpoints: [...endpoints.values()] }));
  }

  async start(table: readonly Pool[]): Promise<void> {
    this.#pools.clear();
    for (const { uri, app, endpoints } of table) {
      this.#pools.set(uri, { app, endpoints: new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])) });
    }
    this.#state = 'running';
  }

  async apply(changes: readonly ProxyChange[]): Promise<void> {
    for (const change of changes) this.#applyOne(change);
  }

  async detach(): Promise<void> {
    this.#state = 'left';
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
  }

  onAccess(listener: (record: AccessRecord) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  lostRecords(): number {
    return 0;
  }

  unwell(): string | undefined {
    return this.#state === 'running' ? undefined : 'the proxy does not run';
  }

  #applyOne(change: ProxyChange): void {
    const pool = this.#pools.get(change.uri);
    if (change.do === 'add-route') {
      if (pool) pool.app = change.app;
      else this.#pools.set(change.uri, { app: change.app, endpoints: new Map() });
    } else if (change.do === 'remove-route') this.#pools.delete(change.uri);
    else if (change.do === 'add-endpoint') pool?.endpoints.set(change.endpoint.id, change.endpoint);
    else pool?.endpoints.delete(change.endpoint.id);
  }

  #answer(request: Required<FakeRequest>, requestId: string): { response: FakeResponse; endpoint?: Endpoint } {
    const host = hostOf(request.host);
    if (!host) return { response: refusal(400, 'empty_host', 'Bad Request: Request had empty Host header') };
    const pool = this.#find(host, request.path);
    if (!pool) {
      const text = `Not Found: Requested route ('${host}') does not exist.`;
      return { response: refusal(404, 'unknown_route', text) };
    }
    const sent = { ...request, headers: forwarded(request.headers, requestId) };
    for (const endpoint of this.#order(pool, request.headers.cookie ?? '')) {
      const handler = this.#handlers.get(addressOf(endpoint));
      if (!handler) continue;
      const own = { 'x-cf-applicationid': endpoint.app };
      const response = handler({ ...sent, headers: { ...sent.headers, 'x-cf-instanceid': endpoint.id, ...own } });
      return { response: withAffinity(response, endpoint), endpoint };
    }
    const text = 'Bad Gateway: Registered endpoint failed to handle the request.';
    return { response: refusal(502, 'endpoint_failure', text) };
  }

  #find(host: string, path: string): FakePool | undefined {
    for (const uri of candidateUris(host, path)) {
      const pool = this.#pools.get(uri);
      if (pool && pool.endpoints.size > 0) return pool;
    }
    return undefined;
  }

  #order(pool: FakePool, cookies: string): Endpoint[] {
    const all = [...pool.endpoints.values()];
    const first = this.#random.pick(all.length);
    const rotated = [...all.slice(first), ...all.slice(0, first)];
    const wanted = /JSESSIONID=/.test(cookies) ? /__VCAP_ID__=([^;]+)/.exec(cookies)?.[1] : undefined;
    return [...rotated.filter(({ id }) => id === wanted), ...rotated.filter(({ id }) => id !== wanted)];
  }

  #record(
    request: Required<FakeRequest>,
    { response, endpoint, requestId }: { response: FakeResponse; endpoint?: Endpoint | undefined; requestId: string },
  ): void {
    const record: AccessRecord = {
      host: hostOf(request.host),
      atMs: this.#clock.nowMs(),
      method: request.method,
      uri: request.path,
      protocol: 'HTTP/1.1',
      status: response.status,
      requestBytes: 0,
      responseBytes: Buffer.byteLength(response.body),
      referer: request.headers.referer ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      client: '127.0.0.1:1',
      backend: endpoint ? addressOf(endpoint) : '',
      forwardedFor: '127.0.0.1',
      forwardedProto: 'http',
      requestId,
      totalMs: 0,
      routerMs: 0,
      app: endpoint?.app ?? '',
      instance: endpoint?.id ?? '',
      instanceIndex: endpoint?.index ?? '',
      routerError: response.headers['x-cf-routererror'] ?? '',
    };
    for (const listener of this.#listeners) listener(record);
  }
}

function refusal(status: number, routerError: string, text: string): FakeResponse {
  return {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-cf-routererror': routerError,
    },
    body: `${status} ${text}\n`,
  };
}

function forwarded(headers: Readonly<Record<string, string>>, requestId: string): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !/^(x-forwarded-|forwarded$|x-cf-)/.test(name));
  return {
    ...Object.fromEntries(kept),
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-vcap-request-id': requestId,
  };
}

function withAffinity(response: FakeResponse, endpoint: Endpoint): FakeResponse {
  const cookie = response.headers['set-cookie'] ?? '';
  if (!/JSESSIONID=/.test(cookie)) return response;
  const affinity = `${cookie}, __VCAP_ID__=${endpoint.id}; Path=/; HttpOnly`;
  return { ...response, headers: { ...response.headers, 'set-cookie': affinity } };
}
