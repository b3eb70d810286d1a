import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Pool, placeOf, type RouteChange, type RouteMessage, RouteTable } from './route-table.ts';

const THRESHOLD_MS = 120_000;
const message = (change: Partial<RouteMessage> = {}): RouteMessage => ({
  host: '10.0.0.1',
  port: 40_001,
  uris: ['a.example'],
  app: 'app-a',
  private_instance_id: 'i1',
  private_instance_index: '0',
  ...change,
});
const short = (changes: readonly RouteChange[]) =>
  changes.map((c) => ('endpoint' in c ? `${c.do} ${c.uri} ${c.endpoint.id}` : `${c.do} ${c.uri}`));

describe('route table', () => {
  test('a first registration adds route and endpoint, a second one changes nothing', () => {
    const table = new RouteTable(THRESHOLD_MS);
    assert.deepEqual(short(table.register(message(), 0)), ['add-route a.example', 'add-endpoint a.example i1']);
    assert.deepEqual(table.register(message(), 1), []);
    assert.deepEqual(table.register(message({ uris: ['A.EXAMPLE/', 'not a uri'] }), 2), []);
  });

  test('an address registered by another instance leaves every route of the former one first', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message({ uris: ['a.example', 'b.example'] }), 0);
    const changes = table.register(message({ uris: ['c.example'], app: 'app-c', private_instance_id: 'i2' }), 1);
    assert.deepEqual(short(changes), [
      'remove-endpoint a.example i1',
      'remove-route a.example',
      'remove-endpoint b.example i1',
      'remove-route b.example',
      'add-route c.example',
      'add-endpoint c.example i2',
    ]);
    assert.equal(table.lookup('a.example', '/'), undefined);
  });

  test('an unregister of another instance at the same address changes nothing', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message(), 0);
    assert.deepEqual(table.unregister(message({ private_instance_id: 'i2' })), []);
    assert.deepEqual(table.unregister(message({ private_instance_id: undefined, app: 'app-b' })), []);
    assert.deepEqual(table.unregister(message({ port: 40_002 })), []);
    assert.deepEqual(short(table.unregister(message({ private_instance_id: undefined }))), [
      'remove-endpoint a.example i1',
      'remove-route a.example',
    ]);
  });

  test('a port for TLS is the address in place of the plain one, also of an unregister', () => {
    const table = new RouteTable(THRESHOLD_MS);
    const tls = { tls_port: 61_001, server_cert_domain_san: 'i1.internal' };
    table.register(message(tls), 0);
    const [endpoint] = table.pool('a.example')?.endpoints ?? [];
    assert.deepEqual([endpoint?.port, endpoint?.tls], [61_001, { name: 'i1.internal' }]);
    assert.deepEqual(table.unregister(message()), []);
    assert.equal(table.unregister(message(tls)).length, 2);
  });

  test('behind one port for TLS there are as many places as names', () => {
    const table = new RouteTable(THRESHOLD_MS);
    const at = (name: string, id: string) =>
      message({ tls_port: 61_001, server_cert_domain_san: name, private_instance_id: id });
    table.register(at('one', 'i1'), 0);
    assert.deepEqual(short(table.register(at('two', 'i2'), 1)), ['add-endpoint a.example i2']);
    assert.deepEqual(short(table.register(at('two', 'i3'), 2)), [
      'remove-endpoint a.example i2',
      'add-endpoint a.example i3',
    ]);
    assert.deepEqual(table.unregister(at('one', 'i3')), []);
    assert.deepEqual(short(table.unregister(at('one', 'i1'))), ['remove-endpoint a.example i1']);
  });

  test('an instance that moved has one address in a pool', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message(), 0);
    table.register(message({ port: 40_002 }), 1);
    assert.deepEqual(
      table.pool('a.example')?.endpoints.map((e) => e.port),
      [40_002],
    );
  });

  test('what was not said again by those who have spoken is forgotten', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message(), 0);
    table.register(message({ port: 2, private_instance_id: 'i2' }), 0);
    table.register(message({ port: 3, private_instance_id: 'i3' }), 0);
    table.register(message({ port: 3, private_instance_id: 'i3' }), 100);
    assert.deepEqual(short(table.forget(100, ({ id }) => id !== 'i1')), ['remove-endpoint a.example i2']);
    assert.deepEqual(short(table.forget(100, () => true)), ['remove-endpoint a.example i1']);
  });

  test('an endpoint is stale after its threshold, which a registration may only shorten', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message(), 0);
    table.register(message({ port: 2, private_instance_id: 'i2', stale_threshold_in_seconds: 10 }), 0);
    table.register(message({ port: 3, private_instance_id: 'i3', stale_threshold_in_seconds: 9999 }), 0);
    assert.deepEqual(short(table.prune(10_000)), []);
    assert.deepEqual(short(table.prune(10_001)), ['remove-endpoint a.example i2']);
    assert.deepEqual(short(table.prune(THRESHOLD_MS)), []);
    assert.deepEqual(short(table.prune(THRESHOLD_MS + 1)), [
      'remove-endpoint a.example i1',
      'remove-endpoint a.example i3',
      'remove-route a.example',
    ]);
  });

  test('a seeded table ages from the moment it was taken over', () => {
    const table = new RouteTable(THRESHOLD_MS);
    const first = new RouteTable(THRESHOLD_MS);
    first.register(message({ private_instance_index: undefined }), 0);
    table.seed(first.pools(), 1_000_000);
    assert.deepEqual(table.prune(1_000_000 + THRESHOLD_MS), []);
    assert.deepEqual(short(table.register(message(), 1_000_001)), ['add-endpoint a.example i1']);
    assert.equal(table.prune(1_000_002 + THRESHOLD_MS).length, 2);
  });

  test('the app of a route is that of its oldest endpoint', () => {
    const table = new RouteTable(THRESHOLD_MS);
    table.register(message(), 0);
    table.register(message({ port: 2, app: 'app-b', private_instance_id: 'i2' }), 1);
    assert.equal(table.pool('a.example')?.app, 'app-a');
    const changes = table.unregister(message());
    assert.deepEqual(changes.at(-1), { do: 'add-route', uri: 'a.example', app: 'app-b' });
  });

  const routes = ['a.example', 'a.example/api', 'a.example/api/v1', '*.example', '*.b.example', 'x.b.example/only'];
  const lookups: readonly (readonly [string, string, string | undefined])[] = [
    ['a.example', '/', 'a.example'],
    ['A.Example', '/API/v1/x?y', 'a.example/api/v1'],
    ['a.example', '/api', 'a.example/api'],
    ['a.example', '/apiary', 'a.example'],
    ['c.example', '/', '*.example'],
    ['c.b.example', '/', '*.b.example'],
    ['x.b.example', '/only/this', 'x.b.example/only'],
    ['x.b.example', '/else', '*.b.example'],
    ['d.c.b.example', '/', '*.b.example'],
    ['example', '/', undefined],
    ['other', '/', undefined],
  ];
  for (const [host, path, uri] of lookups) {
    test(`${host}${path} goes to ${uri ?? 'nothing'}`, () => {
      const table = new RouteTable(THRESHOLD_MS);
      table.register(message({ uris: routes }), 0);
      assert.equal(table.lookup(host, path)?.uri, uri);
    });
  }
});

const anyMessage = fc.record({
  host: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  port: fc.integer({ min: 1, max: 3 }),
  tls_port: fc.constantFrom(0, 0, 9),
  server_cert_domain_san: fc.constantFrom('n1', 'n2'),
  uris: fc.uniqueArray(fc.constantFrom('a.x', 'b.x', 'b.x/p', '*.x'), { maxLength: 3 }),
  app: fc.constantFrom('p', 'q'),
  private_instance_id: fc.constantFrom('i1', 'i2', 'i3', 'i4'),
});
const anyStep = fc.record({ kind: fc.constantFrom('register', 'unregister', 'prune'), message: anyMessage });

function play(steps: readonly { kind: string; message: RouteMessage }[], check: (table: RouteTable) => void): void {
  const table = new RouteTable(3);
  const shadow = new Shadow();
  steps.forEach(({ kind, message: m }, nowMs) => {
    if (kind === 'register') shadow.apply(table.register(m, nowMs));
    else if (kind === 'unregister') shadow.apply(table.unregister(m));
    else shadow.apply(table.prune(nowMs));
    assert.deepEqual(shadow.pools(), sorted(table.pools()), 'the changes lead to the table');
    check(table);
  });
}

const sorted = (pools: readonly Pool[]) =>
  pools
    .map((p) => ({ ...p, endpoints: [...p.endpoints].sort((a, b) => a.id.localeCompare(b.id)) }))
    .sort((a, b) => a.uri.localeCompare(b.uri));

class Shadow {
  #pools = new Map<string, { app: string; endpoints: Map<string, Pool['endpoints'][number]> }>();

  apply(changes: readonly RouteChange[]): void {
    for (const change of changes) {
      const pool = this.#pools.get(change.uri);
      if (change.do === 'add-route') {
        this.#pools.set(change.uri, { app: change.app, endpoints: pool?.endpoints ?? new Map() });
      } else if (change.do === 'remove-route') {
        assert.equal(pool?.endpoints.size, 0, 'a route leaves after its endpoints');
        this.#pools.delete(change.uri);
      } else if (change.do === 'add-endpoint') pool?.endpoints.set(change.endpoint.id, change.endpoint);
      else assert.ok(pool?.endpoints.delete(change.endpoint.id), 'only a known endpoint is removed');
    }
  }

  pools(): Pool[] {
    return sorted(
      [...this.#pools].map(([uri, { app, endpoints }]) => ({ uri, app, endpoints: [...endpoints.values()] })),
    );
  }
}

describe('route table, for any messages', () => {
  test('a place is never held by two instances, and no pool is empty', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) =>
        play(steps, (table) => {
          const holder = new Map<string, string>();
          for (const pool of table.pools()) {
            assert.ok(pool.endpoints.length > 0);
            for (const endpoint of pool.endpoints) {
              const who = `${endpoint.id} ${endpoint.app}`;
              assert.equal(holder.get(placeOf(endpoint)) ?? who, who);
              holder.set(placeOf(endpoint), who);
            }
          }
        }),
      ),
    );
  });

  test('registering twice is registering once', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), anyMessage, (steps, last) => {
        play(steps, () => {});
        const table = new RouteTable(3);
        for (const { message: m } of steps) table.register(m, 0);
        table.register(last, 0);
        assert.deepEqual(table.register(last, 0), []);
      }),
    );
  });

  test('an unregister of another instance changes nothing', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 20 }), anyMessage, (messages, last) => {
        const table = new RouteTable(3);
        for (const m of messages) table.register(m, 0);
        const before = sorted(table.pools());
        assert.deepEqual(table.unregister({ ...last, private_instance_id: 'stranger' }), []);
        assert.deepEqual(sorted(table.pools()), before);
      }),
    );
  });
});
