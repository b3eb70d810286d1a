import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { type Endpoint, type RouteMessage, RouteTable } from '../../core/route-table.ts';
import { echoOf, endpointAt, poolOf, type RigBackend } from '../proxy.conformance.ts';
import type { AccessRecord } from '../proxy.ts';
import { GUID, nextRecords, openHaproxyRig, says, until } from './rig.conformance.ts';

describe('HAProxy, life', () => {
  test('replaces 200 endpoints under load without a failed or misrouted request', async () => {
    await using rig = await openHaproxyRig();
    const backends: RigBackend[] = [];
    for (let i = 0; i < 8; i++)
      backends.push(await rig.serve((req, res) => void res.end(req.headers['x-cf-instanceid'])));
    const table = new RouteTable(120_000);
    const current: RouteMessage[] = [];
    let next = 0;
    const fresh = () => says(`instance-${next}`, backends[next++ % 8] as RigBackend, { app: `app-${next % 8}` });
    for (let i = 0; i < 3; i++) current.push({ ...fresh(), app: GUID });
    await rig.proxy.start([]);
    for (const message of current) await rig.proxy.apply(table.register(message, 0));
    const stop = new AbortController();
    let requests = 0;
    const faults: string[] = [];
    const client = async () => {
      while (!stop.signal.aborted) {
        const allowed = new Set(current.map((m) => m.private_instance_id));
        const response = await rig.request({ host: 'a.test' });
        for (const m of current) allowed.add(m.private_instance_id);
        requests += 1;
        if (response.status !== 200) faults.push(`${response.status} ${response.body}`);
        else if (!response.body.startsWith('instance-')) faults.push(`misrouted to ${response.body}`);
      }
    };
    const clients = [client(), client(), client(), client()];
    for (let i = 0; i < 200; i++) {
      const born = { ...fresh(), app: GUID };
      const dying = current.shift() as RouteMessage;
      current.push(born);
      await rig.proxy.apply(table.register(born, i));
      await rig.proxy.apply(table.unregister(dying));
      if (i % 5 === 0) await rig.request({ host: 'a.test' });
    }
    stop.abort();
    await Promise.all(clients);
    assert.deepEqual(faults, []);
    assert.ok(requests > 200, `only ${requests} requests were made`);
  });

  test('never sends a request to an address that changed hands', async () => {
    await using rig = await openHaproxyRig();
    const at = await rig.serve((req, res) => void res.end(`${req.headers.host} ${req.headers['x-cf-instanceid']}`));
    await rig.proxy.start([]);
    const table = new RouteTable(120_000);
    for (let i = 0; i < 50; i++) {
      const host = i % 2 === 0 ? 'a.test' : 'b.test';
      const other = i % 2 === 0 ? 'b.test' : 'a.test';
      await rig.proxy.apply(table.register(says(`i${i}`, at, { uris: [host], app: host }), i));
      const [own, former] = [await rig.request({ host }), await rig.request({ host: other })];
      assert.equal(own.body, `${host} i${i}`);
      assert.equal(former.status, 404);
    }
  });

  test('spreads requests over all of many instances that came while it ran', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([]);
    const backends = await Promise.all(Array.from({ length: 12 }, (_, i) => rig.backend(`one-${i}`)));
    await rig.proxy.apply([
      { do: 'add-route', uri: 'many.test', app: GUID },
      ...backends.map((at, i) => ({
        do: 'add-endpoint' as const,
        uri: 'many.test',
        endpoint: endpointAt(`${i.toString(16).padStart(32, '0')}`, at),
      })),
    ]);
    const seen = new Map<string, number>();
    for (let i = 0; i < 240; i++) {
      const { body } = await rig.request({ host: 'many.test' });
      const { name } = JSON.parse(body) as { name: string };
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    assert.equal(seen.size, 12);
    assert.ok(Math.max(...seen.values()) < 60, JSON.stringify([...seen]));
  });

  test('grows past its blank backends without a failed request', async () => {
    await using rig = await openHaproxyRig({ backends: 20 });
    const at = await rig.backend('one');
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', at))]);
    const before = rig.proxy.inspect();
    const table = new RouteTable(120_000);
    const stop = new AbortController();
    const answers = new Set<string>();
    const client = async () => {
      while (!stop.signal.aborted) {
        const { status, body } = await rig.request({ host: 'a.test' });
        answers.add(status === 200 ? 'well' : `${status} ${body}`);
      }
    };
    const running = client();
    for (let i = 0; i < 30; i++) {
      await rig.proxy.apply(table.register(says('i1', at, { uris: [`n${i}.test`] }), 0));
      assert.equal((await rig.request({ host: `n${i}.test` })).status, 200);
    }
    stop.abort();
    await running;
    assert.deepEqual([...answers], ['well']);
    assert.notEqual(rig.proxy.inspect().pid, before.pid);
    assert.ok(rig.proxy.inspect().size >= 31);
  });

  test('goes on while its control side is away, and is adopted with its table', async () => {
    await using rig = await openHaproxyRig();
    const [one, two] = [await rig.backend('one'), await rig.backend('two')];
    const table = new RouteTable(120_000);
    await rig.proxy.start([]);
    await rig.proxy.apply(table.register(says('i1', one, { uris: ['a.test', 'a.test/api', '*.test'] }), 0));
    await rig.proxy.apply(table.register(says('i2', two), 0));
    await rig.proxy.apply(table.unregister(says('i2', two)));
    const { pid } = rig.proxy.inspect();
    await rig.proxy.detach();
    assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'one');
    const next = rig.successor();
    const heard: AccessRecord[] = [];
    const late = Promise.withResolvers<void>();
    next.onAccess((record) => heard.push(record) && record.host === 'a.test' && late.resolve());
    const pools = await next.adopt();
    assert.equal(next.inspect().pid, pid);
    const expected: Endpoint = { ...endpointAt('i1', one, GUID) };
    assert.deepEqual(
      pools?.map((pool) => [pool.uri, pool.app, pool.endpoints]).sort(),
      ['*.test', 'a.test', 'a.test/api'].map((uri) => [uri, GUID, [expected]]),
    );
    await late.promise;
    const taken = new RouteTable(120_000);
    taken.seed(pools ?? [], 0);
    await next.apply(taken.register(says('i2', two), 0));
    await next.apply(taken.unregister(says('i1', one)));
    for (let i = 0; i < 5; i++) assert.equal(echoOf(await rig.request({ host: 'a.test' })).name, 'two');
  });

  test('a successor with other settings replaces the configuration and keeps the table', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one', { 'set-cookie': 'SID=1' })))]);
    const { pid } = rig.proxy.inspect();
    await rig.proxy.detach();
    const next = rig.successor({ stickyCookies: ['SID'] });
    assert.equal((await next.adopt())?.length, 1);
    assert.notEqual(next.inspect().pid, pid);
    assert.match((await rig.request({ host: 'a.test' })).headers['set-cookie'] ?? '', /__VCAP_ID__=i1/);
  });

  test('believes other balancers from now on', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    const forwarded = async () => {
      const answer = await rig.request({ host: 'a.test', headers: { 'x-forwarded-for': '9.9.9.9' } });
      return echoOf(answer).headers['x-forwarded-for'];
    };
    assert.equal(await forwarded(), '127.0.0.1');
    await rig.proxy.trust(['127.0.0.1']);
    assert.equal(await forwarded(), '9.9.9.9, 127.0.0.1');
    const { pid } = rig.proxy.inspect();
    await rig.proxy.trust(['127.0.0.1']);
    assert.equal(rig.proxy.inspect().pid, pid);
    await rig.proxy.trust([]);
    assert.equal(await forwarded(), '127.0.0.1');
  });

  test('is started again, with its table, when it is killed', async () => {
    await using rig = await openHaproxyRig();
    const table = new RouteTable(120_000);
    await rig.proxy.start([]);
    await rig.proxy.apply(table.register(says('i1', await rig.backend('one')), 0));
    await rig.request({ host: 'a.test' });
    const { pid } = rig.proxy.inspect();
    process.kill(pid, 'SIGKILL');
    const answer = await until('HAProxy to come back', async () => {
      if (rig.proxy.inspect().pid === pid) return undefined;
      return rig.request({ host: 'a.test' });
    });
    assert.equal(echoOf(answer).name, 'one');
  });

  test('puts right what HAProxy refuses', async () => {
    await using rig = await openHaproxyRig();
    const at = await rig.backend('one');
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', at))]);
    const { pid } = rig.proxy.inspect();
    const admin = `${rig.options.directory}/admin.sock`;
    const socket = connect(admin);
    socket.write('set server be_00000/i1 state maint; del server be_00000/i1\n');
    socket.resume();
    await once(socket, 'close');
    const table = new RouteTable(120_000);
    table.register(says('i1', at), 0);
    await rig.proxy.apply(table.unregister(says('i1', at)));
    assert.notEqual(rig.proxy.inspect().pid, pid);
    assert.equal((await rig.request({ host: 'a.test' })).status, 404);
    await rig.proxy.apply(table.register(says('i1', at), 0));
    assert.equal((await rig.request({ host: 'a.test' })).status, 200);
  });

  test('deletes servers that left, so that their backends are blank again', async () => {
    await using rig = await openHaproxyRig();
    const at = await rig.backend('one');
    await rig.proxy.start([]);
    const { free } = rig.proxy.inspect();
    const table = new RouteTable(120_000);
    await rig.proxy.apply(table.register(says('i1', at), 0));
    assert.equal(rig.proxy.inspect().free, free - 1);
    await rig.proxy.apply(table.unregister(says('i1', at)));
    await until('the backend to be blank', async () => (rig.proxy.inspect().free === free ? true : undefined));
  });

  test('names the port and the process that has it', async () => {
    await using rig = await openHaproxyRig();
    const server = createServer().listen(rig.options.httpPort, '127.0.0.1');
    await once(server, 'listening');
    const expected = new RegExp(`port ${rig.options.httpPort} is already in use by .* \\(pid ${process.pid}\\)`);
    await assert.rejects(rig.proxy.start([]), expected);
    server.close();
    await once(server, 'close');
  });

  test('tells of every request, under load', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    const records = nextRecords(rig, 1000);
    const ids = new Set<string>();
    const client = async () => {
      for (let i = 0; i < 250; i++) {
        const { headers } = await rig.request({ host: 'a.test', path: `/${i}` });
        ids.add(headers['x-vcap-request-id'] ?? '');
      }
    };
    await Promise.all([client(), client(), client(), client()]);
    const heard = await records;
    assert.deepEqual(new Set(heard.map(({ requestId }) => requestId)), ids);
    assert.equal(ids.size, 1000);
    assert.equal(rig.proxy.lostRecords(), 0);
  });
});
