import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Endpoint, type Pool, RouteTable } from '../core/route-table.ts';
import type { FakeRequest, FakeResponse } from './fake.ts';
import type { AccessRecord, DataPlane } from './proxy.ts';

/** A proxy with a way to put something behind it and to send requests through it. */
export type ProxyRig = {
  readonly proxy: DataPlane;
  /** Starts something that answers with `{name, headers, path}` as JSON, and with these headers. */
  backend(name: string, headers?: Readonly<Record<string, string>>): Promise<RigBackend>;
  request(request: FakeRequest): Promise<FakeResponse>;
} & AsyncDisposable;

export type RigBackend = { readonly host: string; readonly port: number; stop(): Promise<void> };

type Echo = { name: string; path: string; headers: Record<string, string> };

export const echoOf = (response: FakeResponse): Echo => JSON.parse(response.body);
export const endpointAt = (id: string, at: { host: string; port: number }, app = 'app-1'): Endpoint => ({
  id,
  app,
  host: at.host,
  port: at.port,
  index: '0',
  protocol: 'http1',
});
export const poolOf = (uri: string, ...endpoints: Endpoint[]): Pool => ({
  uri,
  app: endpoints[0]?.app ?? '',
  endpoints,
});

/** What every DataPlane must do. */
export function proxyConformance(name: string, open: () => Promise<ProxyRig>): void {
  describe(`proxy conformance: ${name}`, () => {
    test('routes by host, longest path on a segment boundary, then wildcard', async () => {
      await using rig = await open();
      const uris = ['a.test', 'a.test/api', 'a.test/api/v1', '*.test', '*.b.test/v2'];
      const pools = await Promise.all(uris.map(async (uri) => poolOf(uri, endpointAt('i', await rig.backend(uri)))));
      await rig.proxy.start(pools);
      const cases: readonly (readonly [string, string, string])[] = [
        ['a.test', '/', 'a.test'],
        ['A.TEST:8080', '/x', 'a.test'],
        ['a.test', '/api', 'a.test/api'],
        ['a.test', '/api?x=1', 'a.test/api'],
        ['a.test', '/apiary', 'a.test'],
        ['a.test', '/api/v1/things', 'a.test/api/v1'],
        ['c.test', '/api', '*.test'],
        ['x.b.test', '/v2/x', '*.b.test/v2'],
        ['x.b.test', '/v3', '*.test'],
      ];
      for (const [host, path, uri] of cases) {
        assert.equal(echoOf(await rig.request({ host, path })).name, uri, `${host}${path}`);
      }
    });

    test('follows changes at once', async () => {
      await using rig = await open();
      await rig.proxy.start([]);
      const [one, two] = [await rig.backend('one'), await rig.backend('two')];
      const table = new RouteTable(120_000);
      const says = (id: string, at: RigBackend) => ({ ...at, uris: ['a.test'], app: 'app-1', private_instance_id: id });
      assert.equal((await rig.request({ host: 'a.test' })).status, 404);
      await rig.proxy.apply(table.register(says('i1', one), 0));
      assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'one');
      await rig.proxy.apply([...table.register(says('i2', two), 0), ...table.unregister(says('i1', one))]);
      for (let i = 0; i < 10; i++) assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'two');
      await rig.proxy.apply(table.register(says('i1', one), 0));
      await rig.proxy.apply(table.unregister(says('i2', two)));
      assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'one');
      await rig.proxy.apply(table.unregister(says('i1', one)));
      assert.equal((await rig.request({ host: 'a.test' })).status, 404);
    });

    test('answers for an unknown route, an empty host and a dead endpoint as the contract says', async () => {
      await using rig = await open();
      const dead = await rig.backend('dead');
      await dead.stop();
      await rig.proxy.start([poolOf('dead.test', endpointAt('i', dead))]);
      const unknown = await rig.request({ host: 'Nobody.test', path: '/x' });
      assert.equal(unknown.status, 404);
      assert.equal(unknown.headers['x-cf-routererror'], 'unknown_route');
      assert.equal(unknown.headers['content-type'], 'text/plain; charset=utf-8');
      assert.equal(unknown.headers['x-content-type-options'], 'nosniff');
      assert.equal(unknown.body, "404 Not Found: Requested route ('nobody.test') does not exist.\n");
      const empty = await rig.request({ host: ':8080' });
      assert.equal(empty.status, 400);
      assert.equal(empty.headers['x-cf-routererror'], 'empty_host');
      assert.equal(empty.body, '400 Bad Request: Request had empty Host header\n');
      const failed = await rig.request({ host: 'dead.test' });
      assert.equal(failed.status, 502);
      assert.match(failed.headers['x-cf-routererror'] ?? '', /^endpoint_failure/);
      assert.equal(failed.body, '502 Bad Gateway: Registered endpoint failed to handle the request.\n');
    });

    test('passes over a dead endpoint', async () => {
      await using rig = await open();
      const [live, dead] = [await rig.backend('live'), await rig.backend('dead')];
      await dead.stop();
      await rig.proxy.start([poolOf('a.test', endpointAt('i1', live), endpointAt('i2', dead))]);
      for (let i = 0; i < 20; i++) assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'live');
    });

    test('tells the endpoint who asks and what it is, and believes no stranger', async () => {
      await using rig = await open();
      await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one'), 'app-7'))]);
      const forged = {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'evil',
        'x-cf-applicationid': 'forged',
        'x-cf-instanceid': 'forged',
        'x-vcap-request-id': 'forged',
      };
      const response = await rig.request({ host: 'a.test', headers: forged });
      const { headers } = echoOf(response);
      assert.equal(headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(headers['x-forwarded-proto'], 'http');
      assert.equal(headers['x-forwarded-host'], undefined);
      assert.equal(headers['x-cf-applicationid'], 'app-7');
      assert.equal(headers['x-cf-instanceid'], 'i1');
      assert.match(headers['x-vcap-request-id'] ?? '', /^[0-9a-f-]{36}$/);
      assert.equal(response.headers['x-vcap-request-id'], headers['x-vcap-request-id']);
    });

    test('sticks to the instance that set a session cookie', async () => {
      await using rig = await open();
      const session = { 'set-cookie': 'JSESSIONID=s; Path=/' };
      const endpoints = await Promise.all(
        ['i1', 'i2', 'i3'].map(async (id) => endpointAt(id, await rig.backend(id, session))),
      );
      await rig.proxy.start([poolOf('a.test', ...endpoints)]);
      const first = await rig.request({ host: 'a.test' });
      const { name: instance } = echoOf(first);
      assert.match(first.headers['set-cookie'] ?? '', new RegExp(`__VCAP_ID__=${instance}; Path=/; HttpOnly`));
      const cookie = `JSESSIONID=s; __VCAP_ID__=${instance}`;
      for (let i = 0; i < 10; i++) {
        assert.equal(echoOf(await rig.request({ host: 'a.test', headers: { cookie } })).name, instance);
      }
    });

    test('tells of each request, also of refused ones', async () => {
      await using rig = await open();
      await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one'), 'app-7'))]);
      const heard: AccessRecord[] = [];
      const all = Promise.withResolvers<void>();
      rig.proxy.onAccess((record) => heard.push(record) === 2 && all.resolve());
      await rig.request({ host: 'a.test', path: '/x%2Fy?q=1', headers: { 'user-agent': 'tab\there "quoted"' } });
      await rig.request({ host: 'nobody.test' });
      await all.promise;
      const routed = heard.find(({ host }) => host === 'a.test');
      assert.equal(routed?.uri, '/x%2Fy?q=1');
      assert.equal(routed?.userAgent, 'tab\there "quoted"');
      assert.deepEqual(
        [routed?.status, routed?.app, routed?.instance, routed?.instanceIndex, routed?.routerError],
        [200, 'app-7', 'i1', '0', ''],
      );
      const refused = heard.find(({ host }) => host === 'nobody.test');
      assert.deepEqual([refused?.status, refused?.routerError, refused?.app], [404, 'unknown_route', '']);
    });

    test('tells of requests to a route of two apps by the app that answered, and tells each app its own id', async () => {
      await using rig = await open();
      const endpoints = await Promise.all(
        ['app-1', 'app-2'].map(async (app) => endpointAt(`of-${app}`, await rig.backend(app), app)),
      );
      await rig.proxy.start([poolOf('a.test', ...endpoints)]);
      const heard = new Set<string>();
      const both = Promise.withResolvers<void>();
      rig.proxy.onAccess(({ instance, app }) => heard.add(`${instance} ${app}`).size === 2 && both.resolve());
      for (let i = 0; i < 40; i++) {
        const { name, headers } = echoOf(await rig.request({ host: 'a.test' }));
        assert.equal(headers['x-cf-applicationid'], name);
      }
      await both.promise;
      assert.deepEqual([...heard].sort(), ['of-app-1 app-1', 'of-app-2 app-2']);
    });

    test('a second app comes to a route and leaves it again', async () => {
      await using rig = await open();
      const [one, two] = [await rig.backend('app-1'), await rig.backend('app-2')];
      const table = new RouteTable(120_000);
      const of = (app: string, at: RigBackend) => ({ ...at, uris: ['a.test'], app, private_instance_id: `of-${app}` });
      const answers = async () => {
        const seen = new Set<string>();
        for (let i = 0; i < 40; i++) {
          const { name, headers } = echoOf(await rig.request({ host: 'a.test' }));
          seen.add(`${name} ${headers['x-cf-applicationid']}`);
        }
        return [...seen].sort();
      };
      await rig.proxy.start([]);
      await rig.proxy.apply(table.register(of('app-1', one), 0));
      assert.deepEqual(await answers(), ['app-1 app-1']);
      await rig.proxy.apply(table.register(of('app-2', two), 0));
      assert.deepEqual(await answers(), ['app-1 app-1', 'app-2 app-2']);
      await rig.proxy.apply(table.unregister(of('app-1', one)));
      assert.deepEqual(await answers(), ['app-2 app-2']);
    });
  });
}
