import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { seededRandom } from '../platform/random.ts';
import { FakeProxy } from '../proxy/fake.ts';
import type { RegisterMessage } from './registration.ts';
import { Router, type RouterOptions } from './router.ts';

const APP = '7a1c9f0e-0000-4000-8000-000000000001';
const registration = (change: Partial<RegisterMessage> = {}): RegisterMessage => ({
  host: '10.0.0.1',
  port: 40_001,
  uris: ['a.test'],
  app: APP,
  private_instance_id: 'i1',
  private_instance_index: '3',
  ...change,
});

function open() {
  const clock = new FakeClock();
  const broker = new MemoryBroker();
  const [bus, peer] = [new MemoryBus(broker), new MemoryBus(broker)];
  const proxy = new FakeProxy({ clock, random: seededRandom() });
  const build = (more: Partial<RouterOptions> = {}) =>
    new Router({
      bus,
      clock,
      log: silentLog,
      proxy,
      id: '0-abc',
      address: '10.0.0.9',
      registerS: 20,
      pruneS: 120,
      startDelayMs: 4000,
      ...more,
    });
  const serve = (address: string) => proxy.listen(address, () => ({ status: 200, headers: {}, body: address }));
  serve('10.0.0.1:40001');
  /** A DEA on its own connection: once it is up it registers at each start of a router, then answers for itself. */
  const dea = (id: string, registrations: readonly RegisterMessage[]) => {
    const own = new MemoryBus(broker);
    const register = () => {
      for (const one of registrations) own.publish(subjects.routerRegister, [], one);
    };
    const host = { host: '10.0.0.1:1', credentials: [], start: '' };
    own.subscribe(subjects.routerStart, [], register);
    own.subscribe(subjects.componentDiscover, [], (_empty, { respond }) =>
      respond({ type: 'DEA', index: 1, uuid: `1-${id}`, ...host }),
    );
    register();
  };
  return { clock, bus, peer, proxy, build, serve, dea };
}

const heartbeat = (rig: ReturnType<typeof open>, dea: string) =>
  rig.peer.publish(subjects.deaHeartbeat, [], { dea, droplets: [] });

async function started(rig: ReturnType<typeof open>, more: Partial<RouterOptions> = {}): Promise<Router> {
  const router = rig.build(more);
  const ready = router.start();
  await rig.clock.advance(3000);
  await ready;
  return router;
}

const status = (rig: ReturnType<typeof open>, host = 'a.test') => rig.proxy.request({ host }).status;

describe('router', () => {
  test('accepts traffic only when every DEA that is there has registered', async () => {
    const rig = open();
    const heard: number[] = [];
    rig.peer.subscribe(subjects.routerStart, [], (start) => heard.push(start.minimumRegisterIntervalInSeconds));
    rig.dea('quick', [registration()]);
    const ready = rig.build().start();
    await rig.clock.advance(200);
    heartbeat(rig, 'slow');
    await rig.clock.advance(1800);
    assert.throws(() => rig.proxy.request({ host: 'a.test' }), /refused/, 'a DEA was heard that has not registered');
    rig.dea('slow', [registration({ uris: ['b.test'], private_instance_id: 'i2', port: 40_002 })]);
    rig.serve('10.0.0.1:40002');
    await rig.clock.advance(900);
    await ready;
    assert.deepEqual(heard, [20]);
    assert.deepEqual([status(rig), status(rig, 'b.test')], [200, 200]);
  });

  test('is ready soon when nobody has more to say', async () => {
    const rig = open();
    rig.dea('one', [registration()]);
    const ready = rig.build({ awaitedDeas: ['one'] }).start();
    await rig.clock.advance(700);
    await ready;
    assert.equal(status(rig), 200);
  });

  test('takes the silence of a heartbeat interval for a cluster without a DEA, but waits for the one beside it', async () => {
    const [alone, beside] = [open(), open()];
    const ready = alone.build().start();
    const later = beside.build({ awaitedDeas: ['own'] }).start();
    await Promise.all([alone.clock.advance(2000), beside.clock.advance(3500)]);
    assert.throws(() => alone.proxy.request({ host: 'a.test' }), /refused/);
    assert.throws(() => beside.proxy.request({ host: 'a.test' }), /refused/);
    await Promise.all([alone.clock.advance(800), beside.clock.advance(600)]);
    await Promise.all([ready, later]);
    assert.deepEqual([status(alone), status(beside)], [404, 404]);
  });

  test('waits no longer than the start delay when registrations never settle', async () => {
    const rig = open();
    let port = 1;
    const noise = rig.clock.every(100, () =>
      rig.peer.publish(subjects.routerRegister, [], registration({ port: port++, private_instance_id: `n${port}` })),
    );
    let isReady = false;
    const ready = rig.build().start();
    void ready.then(() => {
      isReady = true;
    });
    await rig.clock.advance(3900);
    assert.equal(isReady, false);
    await rig.clock.advance(200);
    assert.equal(isReady, true);
    noise[Symbol.dispose]();
  });

  test('follows register and unregister, and answers greetings', async () => {
    const rig = open();
    await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    assert.equal(status(rig), 200);
    rig.peer.publish(subjects.routerUnregister, [], registration({ private_instance_id: 'other' }));
    await settle();
    assert.equal(status(rig), 200);
    rig.peer.publish(subjects.routerUnregister, [], registration());
    await settle();
    assert.equal(status(rig), 404);
    const greeting = rig.peer.request(subjects.routerGreet, [], {}, { timeoutMs: 1000 });
    assert.deepEqual(await greeting, [
      { id: '0-abc', hosts: ['10.0.0.9'], minimumRegisterIntervalInSeconds: 20, pruneThresholdInSeconds: 120 },
    ]);
  });

  test('forgets endpoints that fall silent, but not while the bus is cut', async () => {
    const rig = open();
    await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    rig.bus.setConnected(false);
    await rig.clock.advance(600_000);
    assert.equal(status(rig), 200);
    rig.bus.setConnected(true);
    await rig.clock.advance(110_000);
    assert.equal(status(rig), 200, 'a whole interval is given to those that come back');
    await rig.clock.advance(60_000);
    assert.equal(status(rig), 404);
  });

  test('back on the bus, it vouches for its table when each DEA has said what it has, and forgets the rest', async () => {
    const rig = open();
    const id = 'd'.repeat(32);
    const on = (port: number, name: string) =>
      registration({
        ...{ port, tls_port: 61_001, host: `10.0.0.${port}`, private_instance_id: name, uris: [`${name}.test`] },
        server_cert_domain_san: `p${port}.${id}.node.stackato`,
      });
    const stays = on(1, 'stays');
    await started(rig, { hasEndpointTls: true });
    rig.dea(id, [stays]);
    rig.peer.publish(subjects.routerRegister, [], on(2, 'leaves'));
    await rig.clock.advance(1000);
    const routes = () => ['stays.test', 'leaves.test'].map((host) => status(rig, host) !== 404);
    assert.deepEqual([routes(), rig.proxy.isCurrent], [[true, true], true]);
    rig.bus.setConnected(false);
    await rig.clock.advance(10_000);
    assert.deepEqual([routes(), rig.proxy.isCurrent], [[true, true], false]);
    rig.bus.setConnected(true);
    await rig.clock.advance(10_000);
    assert.deepEqual([routes(), rig.proxy.isCurrent], [[true, false], true]);
  });

  test('takes over what a predecessor left, and prunes nothing of it for a whole interval', async () => {
    const rig = open();
    const first = await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    await first.stop(true);
    assert.equal(status(rig), 200);
    await rig.clock.advance(1_000_000);
    await rig.build().start();
    await rig.clock.advance(115_000);
    assert.equal(status(rig), 200);
    await rig.clock.advance(60_000);
    assert.equal(status(rig), 404);
  });

  test('an address that changed hands never gets the former app its requests', async () => {
    const rig = open();
    await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    const other = registration({ uris: ['b.test'], app: 'other', private_instance_id: 'i2' });
    rig.peer.publish(subjects.routerRegister, [], other);
    await settle();
    assert.equal(status(rig), 404);
    assert.equal(status(rig, 'b.test'), 200);
  });

  test('refuses what could not be steered, and goes on', async () => {
    const rig = open();
    await started(rig);
    const odd: Partial<RegisterMessage>[] = [
      { host: 'name.example' },
      { port: 0 },
      { private_instance_id: 'a;shutdown' },
      { app: 'x\ny' },
      { uris: ['a.test/x y'] },
      { tls_port: 40_001, server_cert_domain_san: 'i1' },
    ];
    for (const change of odd) rig.peer.publish(subjects.routerRegister, [], registration(change));
    await settle();
    assert.equal(status(rig), 404);
    rig.peer.publish(subjects.routerRegister, [], registration({ uris: ['a.test', 'not a uri'] }));
    await settle();
    assert.equal(status(rig), 200);
  });

  test('routes an endpoint that asks for TLS only with a name that its certificate can have', async () => {
    const rig = open();
    await started(rig, { hasEndpointTls: true });
    for (const name of ['', 'a b', 'x;shutdown', '*.test']) {
      rig.peer.publish(subjects.routerRegister, [], registration({ tls_port: 40_001, server_cert_domain_san: name }));
    }
    await settle();
    assert.equal(status(rig), 404);
    rig.peer.publish(subjects.routerRegister, [], registration({ tls_port: 40_001, server_cert_domain_san: 'i1.x' }));
    await settle();
    assert.equal(status(rig), 200);
  });

  test('says each request into the log of its app, and counts it', async () => {
    const rig = open();
    const heard: PayloadOf<typeof subjects.appLog>[] = [];
    rig.peer.subscribe(subjects.appLog, ['*'], (log) => heard.push(log));
    const router = await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    rig.proxy.request({ host: 'a.test', path: '/x?y=1', headers: { 'user-agent': 'curl "8"' } });
    rig.proxy.request({ host: 'a.test' });
    rig.proxy.request({ host: 'nobody.test' });
    await rig.clock.advance(20);
    assert.equal(heard.length, 1);
    const [first] = heard[0]?.lines ?? [];
    assert.equal(heard[0]?.lines.length, 2);
    assert.equal(first?.source, 'RTR');
    assert.equal(first?.instance, '3');
    const expected =
      /^a\.test - \[2023-11-14T22:13:2\d\.\d{9}Z\] "GET \/x\?y=1 HTTP\/1\.1" 200 0 14 "-" "curl \\"8\\"" "127\.0\.0\.1:1" "10\.0\.0\.1:40001" x_forwarded_for:"127\.0\.0\.1" x_forwarded_proto:"http" vcap_request_id:"[0-9a-f-]{36}" response_time:0\.000000 gorouter_time:0\.000000 app_id:"7a1c9f0e-[0-9a-f-]+" app_index:"3" instance_id:"i1" x_cf_routererror:"-"$/;
    assert.match(first?.text ?? '', expected);
    const varz = router.varz();
    assert.equal(varz.requests, 3);
    assert.equal(varz.responses_2xx, 2);
    assert.equal(varz.bad_requests, 1);
    assert.equal(varz.urls, 1);
    assert.equal(varz.droplets, 1);
    rig.proxy.request({ host: 'a.test' });
    await router.stop(false);
    await settle();
    assert.equal(heard.length, 2, 'what was gathered is said before the end');
  });

  test('a flood of requests to one app is cut, and its log says so', async () => {
    const rig = open();
    const texts: string[] = [];
    rig.peer.subscribe(subjects.appLog, ['*'], ({ lines }) => texts.push(...lines.map(({ text }) => text)));
    const router = await started(rig);
    rig.peer.publish(subjects.routerRegister, [], registration());
    await settle();
    for (let i = 0; i < 5007; i++) rig.proxy.request({ host: 'a.test' });
    await rig.clock.advance(1000);
    rig.proxy.request({ host: 'a.test' });
    await rig.clock.advance(20);
    assert.equal(texts.length, 5002);
    assert.ok(texts.includes('7 access lines were left out: more than 5000 in a second'));
    await router.stop(false);
  });
});
