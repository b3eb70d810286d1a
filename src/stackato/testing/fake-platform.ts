import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import { type Answer, type FakeLine, fault, instance, list, named, type Row, streamed } from './fake-answers.ts';

type Handler = (match: string[], body: Buffer, request: IncomingMessage, url: URL) => Answer | Promise<Answer>;

const AT = '2026-01-01T00:00:00Z';
export const password = 'a good password';

/** A platform in one process: login server, API and log cache, enough for the client; behaviours can be changed. */
export class FakePlatform implements AsyncDisposable {
  readonly calls: string[] = [];
  readonly apps: Row[] = [];
  readonly packages: (Row & { files: Map<string, { sum: string; mode: string }> })[] = [];
  readonly builds: Row[] = [];
  readonly routes: (Row & { destinations: Row[] })[] = [];
  readonly processes: Row[] = [];
  readonly events: Row[] = [];
  readonly manifests: unknown[] = [];
  readonly blobs = new Set<string>();
  readonly lines: (FakeLine & { atNs: string })[] = [];
  readonly streams = new Set<ServerResponse>();
  readonly overrides = new Map<string, Handler>();
  hasStream = true;
  buildpacks = ['nodejs_buildpack', 'python_buildpack', 'staticfile_buildpack', 'binary_buildpack'];
  /** Called for each poll of a staging build: may change it. */
  onStaging: (build: Row) => void = (build) => this.staged(build);
  /** The states of a started process's instances. */
  states: (process: Row, poll: number) => Row[] = (process) => this.running(process);
  expiresInS = 1200;
  #polls = 0;
  #tokens = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get host(): string {
    return `api.stackato.localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Answers a call in another way: `POST /v3/builds`. */
  override(call: string, handler: Handler): void {
    this.overrides.set(call, handler);
  }

  log(...lines: FakeLine[]): void {
    for (const line of lines) {
      const one = { atNs: `${BigInt(Date.now()) * 1_000_000n + BigInt(this.lines.length)}`, ...line };
      this.lines.push(one);
      for (const stream of this.streams) stream.write(`${JSON.stringify(streamed(one))}\n`);
    }
  }

  staged(build: Row): void {
    build.state = 'STAGED';
    build.droplet = { guid: `droplet-of-${build.guid}` };
  }

  running(process: Row): Row[] {
    return this.instances(process, 'RUNNING');
  }

  instances(process: Row, state: string): Row[] {
    return Array.from({ length: Number(process.instances) }, (_, index) => instance(process, index, state));
  }

  addApp(name: string, change: Record<string, unknown> = {}): Row {
    const guid = `app-${this.apps.length + 1}`;
    const app = {
      guid,
      name,
      state: 'STOPPED',
      created_at: AT,
      updated_at: AT,
      lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'stackato' } },
      env: {},
      ...change,
    };
    this.apps.push(app);
    this.processes.push({
      guid,
      type: 'web',
      command: 'node server.js',
      instances: 1,
      memory_in_mb: 256,
      disk_in_mb: 1024,
      health_check: { type: 'port', data: { timeout: null } },
      relationships: { app: { data: { guid } } },
    });
    return app;
  }

  addRoute(host: string, ...apps: readonly Row[]): Row {
    const route = {
      guid: `route-${this.routes.length + 1}`,
      host,
      path: '',
      url: `${host}.stackato.localhost`,
      destinations: apps.map(({ guid }) => ({ guid: `to-${guid}`, app: { guid } })),
    };
    this.routes.push(route);
    return route;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const body = await buffer(request);
    const call = `${request.method} ${url.pathname}`;
    this.calls.push(`${request.method} ${request.url}`);
    const respond = ({ status = 200, body: value, headers = {}, raw }: Answer) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(raw ?? (value === undefined ? '' : JSON.stringify(value)));
    const override = this.overrides.get(call);
    if (override) return void respond(await override([], body, request, url));
    const isOpen = url.pathname === '/' || url.pathname === '/login' || url.pathname.startsWith('/oauth/token');
    if (!isOpen && !/^bearer fake/.test(request.headers.authorization ?? '')) {
      return void respond(fault(401, 10_002, 'CF-NotAuthenticated', 'Authentication error'));
    }
    if (url.pathname.startsWith('/stackato/v1/stream/') && this.hasStream) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
      this.streams.add(response);
      return void response.on('close', () => this.streams.delete(response));
    }
    for (const [pattern, handler] of this.#handlers) {
      const match = new RegExp(`^${pattern}$`).exec(call);
      if (match) return void respond(await handler(match.slice(1), body, request, url));
    }
    respond(fault(404, 10_000, 'CF-NotFound', 'Unknown request'));
  }

  #token(form: URLSearchParams): Answer {
    const isRight =
      form.get('grant_type') === 'refresh_token'
        ? form.get('refresh_token')?.startsWith('refresh')
        : form.get('password') === password;
    if (!isRight) return { status: 401, body: { error: 'unauthorized', error_description: 'Bad credentials' } };
    const exp = Math.floor(Date.now() / 1000) + this.expiresInS;
    const claims = { exp, jti: 'j', user_name: form.get('username') ?? 'again', user_id: 'u' };
    const access_token = `fake.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${++this.#tokens}`;
    return { body: { access_token, refresh_token: `refresh-${this.#tokens}`, token_type: 'bearer' } };
  }

  #find(rows: readonly Row[], guid: string | undefined): Row {
    const row = rows.find((one) => one.guid === guid);
    if (!row) throw new Error(`fake: no ${guid}`);
    return row;
  }

  readonly #handlers: [string, Handler][] = [
    ['GET /', () => ({ body: { links: this.#links() } })],
    ['GET /login', () => ({ body: { prompts: { username: ['text', 'Email'], password: ['password', 'Password'] } } })],
    ['POST /oauth/token', (_m, body) => this.#token(new URLSearchParams(body.toString()))],
    ['DELETE /oauth/token/revoke/.*', () => ({ body: {} })],
    ['GET /v3/organizations', () => list([{ guid: 'org', name: 'acme' }])],
    [
      'GET /v3/spaces',
      (_m, _b, _r, url) =>
        list(named(url, [{ guid: 'space', name: 'dev', relationships: { organization: { data: { guid: 'org' } } } }])),
    ],
    [
      'GET /v3/organizations/org/domains',
      () => list([{ guid: 'domain', name: 'stackato.localhost', internal: false }]),
    ],
    ['GET /v3/buildpacks', () => list(this.buildpacks.map((name) => ({ name, enabled: true })))],
    ['POST /v3/spaces/space/actions/apply_manifest', (_m, body) => this.#applyManifest(body)],
    ['GET /v3/jobs/(.*)', ([guid = '']) => ({ body: { guid, state: 'COMPLETE', errors: [], warnings: [] } })],
    ['GET /v3/apps', (_m, _b, _r, url) => list(named(url, this.apps))],
    [
      'PATCH /v3/apps/([^/]*)',
      ([guid], body) => ({ body: Object.assign(this.#find(this.apps, guid), JSON.parse(body.toString())) }),
    ],
    ['DELETE /v3/apps/([^/]*)', ([guid]) => this.#remove(this.apps, guid)],
    ['DELETE /v3/routes/([^/]*)', ([guid]) => this.#remove(this.routes, guid)],
    [
      'GET /v3/processes',
      () =>
        list(
          this.processes.map((one) => ({
            ...one,
            process_instances: this.#states(one).map(({ index, state }) => ({ index, state })),
          })),
        ),
    ],
    ['GET /v3/apps/([^/]*)/processes', ([app]) => list(this.processes.filter((one) => one.guid === app))],
    [
      'GET /v3/processes/([^/]*)/stats',
      ([guid]) => ({ body: { resources: this.#states(this.#find(this.processes, guid)) } }),
    ],
    ['GET /v3/processes/([^/]*)', ([guid]) => ({ body: this.#find(this.processes, guid) })],
    [
      'POST /v3/apps/([^/]*)/processes/web/actions/scale',
      ([guid], body) => ({
        status: 202,
        body: Object.assign(this.#find(this.processes, guid), JSON.parse(body.toString())),
      }),
    ],
    [
      'GET /v3/apps/([^/]*)/routes',
      ([app]) =>
        list(this.routes.filter(({ destinations }) => destinations.some((one) => (one.app as Row).guid === app))),
    ],
    [
      'GET /v3/routes',
      (_m, _b, _r, url) =>
        list(
          this.routes.filter(({ host }) => !url.searchParams.has('hosts') || host === url.searchParams.get('hosts')),
        ),
    ],
    ['POST /v3/routes', (_m, body) => ({ status: 201, body: this.addRoute(JSON.parse(body.toString()).host) })],
    [
      'POST /v3/routes/([^/]*)/destinations',
      ([guid], body) => {
        const destinations = this.#find(this.routes, guid).destinations as Row[];
        for (const one of JSON.parse(body.toString()).destinations) destinations.push({ guid: randomUUID(), ...one });
        return { body: { destinations } };
      },
    ],
    [
      'DELETE /v3/routes/([^/]*)/destinations/([^/]*)',
      ([guid, destination]) => {
        const route = this.#find(this.routes, guid);
        route.destinations = (route.destinations as Row[]).filter((one) => one.guid !== destination);
        return { status: 204 };
      },
    ],
    [
      'GET /v3/apps/[^/]*/droplets/current',
      () => ({
        body: {
          guid: 'd',
          state: 'STAGED',
          stack: 'stackato',
          created_at: AT,
          buildpacks: [{ name: 'nodejs_buildpack', version: '1.0' }],
        },
      }),
    ],
    ['PATCH /v3/apps/[^/]*/relationships/current_droplet', () => ({ body: {} })],
    [
      'POST /v3/apps/([^/]*)/actions/(start|stop|restart)',
      ([guid, action]) => {
        this.#polls = 0;
        return {
          body: Object.assign(this.#find(this.apps, guid), { state: action === 'stop' ? 'STOPPED' : 'STARTED' }),
        };
      },
    ],
    [
      'GET /v3/apps/([^/]*)/env',
      ([guid]) => ({
        body: { environment_variables: this.#find(this.apps, guid).env, system_env_json: { VCAP_SERVICES: {} } },
      }),
    ],
    [
      'PATCH /v3/apps/([^/]*)/environment_variables',
      ([guid], body) => {
        const app = this.#find(this.apps, guid);
        const merged = { ...(app.env as object), ...JSON.parse(body.toString()).var };
        app.env = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
        return { body: { var: app.env } };
      },
    ],
    ['GET /v3/audit_events', () => list(this.events)],
    [
      'POST /v3/resource_matches',
      (_m, body) => {
        const { resources } = JSON.parse(body.toString()) as { resources: { checksum: { value: string } }[] };
        return { status: 201, body: { resources: resources.filter(({ checksum }) => this.blobs.has(checksum.value)) } };
      },
    ],
    [
      'POST /v3/packages',
      () => {
        const guid = `package-${this.packages.length + 1}`;
        this.packages.push({ guid, state: 'AWAITING_UPLOAD', files: new Map() });
        return { status: 201, body: { guid, state: 'AWAITING_UPLOAD' } };
      },
    ],
    ['POST /v3/packages/([^/]*)/upload', ([guid], body, request) => this.#upload(guid, body, request)],
    ['GET /v3/packages/([^/]*)', ([guid]) => ({ body: { ...this.#find(this.packages, guid), files: undefined } })],
    ['GET /v3/packages', () => list(this.packages.map(({ guid, state }) => ({ guid, state })))],
    [
      'GET /v3/builds',
      (_m, _b, _r, url) => list(this.builds.filter(({ state }) => state === url.searchParams.get('states'))),
    ],
    [
      'POST /v3/builds',
      () => {
        const build = { guid: `build-${this.builds.length + 1}`, state: 'STAGING', error: null };
        this.builds.push(build);
        return { status: 201, body: build };
      },
    ],
    [
      'GET /v3/builds/([^/]*)',
      ([guid]) => {
        const build = this.#find(this.builds, guid);
        if (build.state === 'STAGING') this.onStaging(build);
        return { body: build };
      },
    ],
    ['GET /api/v1/read/.*', (_m, _b, _r, url) => this.#readLogs(url)],
  ];

  #links() {
    const self = this.url;
    return {
      self: { href: self },
      cloud_controller_v3: { href: `${self}/v3`, meta: { version: '3.223.0' } },
      login: { href: self },
      uaa: { href: self },
      log_cache: { href: self },
    };
  }

  #states(process: Row): Row[] {
    const app = this.apps.find(({ guid }) => guid === process.guid);
    return app?.state === 'STARTED' ? this.states(process, this.#polls++) : [];
  }

  #applyManifest(body: Buffer): Answer {
    const { applications } = JSON.parse(body.toString()) as { applications: Record<string, unknown>[] };
    for (const one of applications) {
      this.manifests.push(one);
      const app = this.apps.find(({ name }) => name === one.name) ?? this.addApp(String(one.name));
      const routed = this.routes.some(({ destinations }) =>
        destinations.some((to) => (to.app as Row).guid === app.guid),
      );
      if (one['default-route'] && !routed) this.addRoute(String(one.name), app);
    }
    return { status: 202, headers: { location: `${this.url}/v3/jobs/apply` } };
  }

  #remove(rows: Row[], guid: string | undefined): Answer {
    rows.splice(rows.indexOf(this.#find(rows, guid)), 1);
    return { status: 202, headers: { location: `${this.url}/v3/jobs/delete` } };
  }

  async #upload(guid: string | undefined, body: Buffer, request: IncomingMessage): Promise<Answer> {
    const found = this.packages.find((one) => one.guid === guid);
    if (!found) throw new Error('fake: no package');
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': request.headers['content-type'] ?? '' },
    }).formData();
    for (const one of JSON.parse(String(form.get('resources'))))
      found.files.set(one.path, { sum: one.checksum.value, mode: one.mode });
    const bits = form.get('bits');
    if (bits instanceof Blob) {
      const zip = await fromBufferPromise(Buffer.from(await bits.arrayBuffer()));
      for await (const entry of zip.eachEntry()) {
        const content = entry.fileName.endsWith('/')
          ? Buffer.alloc(0)
          : await buffer(await zip.openReadStreamPromise(entry));
        const sum = createHash('sha1').update(content).digest('hex');
        this.blobs.add(sum);
        found.files.set(entry.fileName, { sum, mode: (entry.externalFileAttributes >>> 16).toString(8) });
      }
    }
    found.state = 'READY';
    return { body: { guid, state: 'PROCESSING_UPLOAD' } };
  }

  #readLogs(url: URL): Answer {
    const since = BigInt(url.searchParams.get('start_time') ?? '0');
    const limit = Number(url.searchParams.get('limit') ?? 100);
    const batch = this.lines
      .filter(({ atNs }) => BigInt(atNs) >= since)
      .slice(-limit)
      .reverse()
      .map((line) => ({
        timestamp: line.atNs,
        source_id: 'app',
        instance_id: line.instance ?? '0',
        tags: { source_type: line.source },
        log: { payload: Buffer.from(line.text).toString('base64'), type: line.type ?? 'OUT' },
      }));
    return { body: { envelopes: { batch } } };
  }
}
