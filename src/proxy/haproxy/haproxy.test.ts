import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { type Endpoint, type RouteMessage, RouteTable } from '../../core/route-table.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { echoOf, endpointAt, poolOf, proxyConformance, type RigBackend } from '../proxy.conformance.ts';
import type { AccessRecord } from '../proxy.ts';
import { AccessSink } from './access-sink.ts';
import { freePort, type HaproxyRig, openHaproxyRig } from './rig.conformance.ts';

const GUID = '7a1c9f0e-1111-4222-8333-000000000001';

proxyConformance('HAProxy', () => openHaproxyRig());

/** Sends bytes and gives all that comes back until the other side closes or `enough` is seen. */
function raw(port: number, text: string, enough = /$^/): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer in 10 s, only ${JSON.stringify(answer)}`)));
  socket.on('error', reject);
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (enough.test(answer)) socket.destroy();
  });
  socket.on('close', () => resolve(answer));
  socket.write(text);
  return promise;
}

/** Asks again until the answer is right; the deadline is the failure. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadlineMs) throw new Error(`waited 10 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const says = (id: string, at: { host: string; port: number }, change: Partial<RouteMessage> = {}): RouteMessage => ({
  host: at.host,
  port: at.port,
  uris: ['a.test'],
  app: GUID,
  private_instance_id: id,
  private_instance_index: '0',
  ...change,
});

async function nextRecords(rig: HaproxyRig, count: number): Promise<{ all: Promise<AccessRecord[]> }> {
  const heard: AccessRecord[] = [];
  const { promise, resolve } = Promise.withResolvers<AccessRecord[]>();
  rig.proxy.onAccess((record) => heard.push(record) === count && resolve(heard));
  return { all: promise };
}

describe('HAProxy, requests', () => {
  test('carries a WebSocket and takes any other upgrade off', async () => {
    await using rig = await openHaproxyRig();
    const server = createServer((socket) => {
      let seen = '';
      socket.on('data', (chunk: Buffer) => {
        if (seen.includes('\r\n\r\n')) return void socket.write(chunk);
        seen += chunk.toString('latin1');
        if (/upgrade: websocket/i.test(seen)) {
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello ',
          );
        } else
          socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${/^upgrade:/im.test(seen) ? 'upgrade' : 'plain'}`);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const at = { host: '127.0.0.1', port: (server.address() as { port: number }).port };
      await rig.proxy.start([poolOf('ws.test', endpointAt('i1', at))]);
      const upgrade = (to: string) =>
        `GET /chat HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
      const opened = await raw(rig.options.httpPort, `${upgrade('websocket')}`, /hello /);
      assert.match(opened, /^HTTP\/1\.1 101 /);
      const h2c = await raw(rig.options.httpPort, upgrade('h2c'), /plain|upgrade$/);
      assert.match(h2c, /plain$/);
    } finally {
      server.close();
    }
  });

  test('speaks HTTP/2 over TLS to clients', async () => {
    await using folder = await temporaryDirectory('tls');
    const pem = `${folder.path}/router.pem`;
    const key = `${folder.path}/key.pem`;
    await exec(
      [
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
      ].concat(['-subj', '/CN=*.test', '-addext', 'subjectAltName=DNS:*.test', '-keyout', key, '-out', pem]),
    );
    await exec(['sh', '-c', 'cat "$1" >> "$2"', 'sh', key, pem]);
    await using rig = await openHaproxyRig({ certificates: [pem] });
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    const client = connectHttp2(`https://127.0.0.1:${rig.options.httpsPort}`, {
      servername: 'a.test',
      rejectUnauthorized: false,
    });
    try {
      const stream = client.request({ ':path': '/x', ':authority': 'a.test' });
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      const [headers] = await once(stream, 'response');
      await once(stream, 'end');
      assert.equal(headers[':status'], 200);
      assert.equal(client.alpnProtocol, 'h2');
      const echo = JSON.parse(Buffer.concat(chunks).toString());
      assert.equal(echo.headers['x-forwarded-proto'], 'https');
      assert.equal(echo.headers.host, 'a.test');
    } finally {
      client.close();
    }
  });

  test('forwards the path as it came', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    for (const path of ['/file/%2Fetc%2Fhosts', '//a//b/', '/a/../b/./c', '/x?y=%20&z=a+b//', '/%E2%82%AC']) {
      const answer = await raw(
        rig.options.httpPort,
        `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(JSON.parse(/\{.*\}/.exec(answer)?.[0] ?? '').path, path);
    }
  });

  test('refuses what could smuggle', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    const bad = [
      'GET / HTTP/1.1\r\nHost: a.test\r\nX: a\0b\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\nConnection: close\r\n\r\n',
      'GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nx',
    ];
    for (const text of bad) assert.match(await raw(rig.options.httpPort, text), /^HTTP\/1\.[01] 400 /, text);
    const spoof = 'GET / HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: 6.6.6.6\r\nConnection: close\r\n\r\n';
    assert.doesNotMatch(await raw(rig.options.httpPort, spoof), /6\.6\.6\.6/);
  });

  test('believes forwarded headers of a trusted balancer, and appends', async () => {
    await using rig = await openHaproxyRig({ trustedProxies: ['127.0.0.0/8'] });
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', await rig.backend('one')))]);
    const records = await nextRecords(rig, 1);
    const response = await rig.request({ host: 'a.test', headers: { 'x-forwarded-for': '9.9.9.9' } });
    assert.equal(echoOf(response).headers['x-forwarded-for'], '9.9.9.9, 127.0.0.1');
    assert.equal((await records.all)[0]?.forwardedFor, '9.9.9.9, 127.0.0.1');
  });

  test('sends a request to the instance it names', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([]);
    const table = new RouteTable(120_000);
    for (const index of ['0', '1', '2']) {
      const at = await rig.backend(`n${index}`);
      await rig.proxy.apply(table.register(says(`i${index}`, at, { private_instance_index: index }), 0));
    }
    const ask = (wanted: string) => rig.request({ host: 'a.test', headers: { 'x-cf-app-instance': wanted } });
    for (let i = 0; i < 6; i++) {
      const echo = echoOf(await ask(`${GUID}:${i % 3}`));
      assert.equal(echo.name, `n${i % 3}`);
      assert.equal(echo.headers['x-cf-app-instance'], undefined);
    }
    const missing = await ask(`${GUID}:7`);
    assert.equal(missing.status, 400);
    assert.equal(missing.headers['x-cf-routererror'], 'unknown_route');
    const text = `400 Bad Request: Requested instance ('7') with guid ('${GUID}') does not exist for route ('a.test')\n`;
    assert.equal(missing.body, text);
    const malformed = await ask('nonsense');
    assert.equal(malformed.status, 400);
    assert.equal(malformed.headers['x-cf-routererror'], 'invalid_cf_app_instance_header');
  });

  test('repeats a request that is safe to repeat, and no other', async () => {
    await using rig = await openHaproxyRig();
    const seen: Record<string, number> = {};
    const moody = await rig.serve((req, res) => {
      seen[req.method ?? ''] = (seen[req.method ?? ''] ?? 0) + 1;
      if (seen[req.method ?? ''] === 1) req.socket.destroy();
      else res.end('second');
    });
    await rig.proxy.start([poolOf('a.test', endpointAt('i1', moody))]);
    assert.equal((await rig.request({ host: 'a.test' })).body, 'second');
    const post = await rig.request({ host: 'a.test', method: 'POST' });
    assert.equal(post.status, 502);
    assert.equal(seen.POST, 1);
  });

  test('gives up a session whose instance is gone and names the new one', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([poolOf('a.test', endpointAt('i2', await rig.backend('i2')))]);
    const headers = { cookie: 'JSESSIONID=s; __VCAP_ID__=i1' };
    const response = await rig.request({ host: 'a.test', headers });
    assert.equal(echoOf(response).name, 'i2');
    assert.match(response.headers['set-cookie'] ?? '', /^__VCAP_ID__=i2; Path=\/; HttpOnly$/);
    const without = await rig.request({ host: 'a.test', headers: { cookie: '__VCAP_ID__=i1' } });
    assert.equal(without.headers['set-cookie'], undefined);
  });

  test('copies the attributes of the session cookie, and its route is the path', async () => {
    await using rig = await openHaproxyRig();
    const at = await rig.backend('one', { 'set-cookie': 'JSESSIONID=s; Secure; SameSite=Lax' });
    await rig.proxy.start([poolOf('a.test/shop', endpointAt('i1', at))]);
    const response = await rig.request({ host: 'a.test', path: '/shop/cart' });
    assert.match(response.headers['set-cookie'] ?? '', /__VCAP_ID__=i1; Path=\/shop; HttpOnly; Secure; SameSite=Lax$/);
  });
});

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
    await exec(['haproxy', '-v']);
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
    const records = await nextRecords(rig, 1000);
    const ids = new Set<string>();
    const client = async () => {
      for (let i = 0; i < 250; i++) {
        const { headers } = await rig.request({ host: 'a.test', path: `/${i}` });
        ids.add(headers['x-vcap-request-id'] ?? '');
      }
    };
    await Promise.all([client(), client(), client(), client()]);
    const heard = await records.all;
    assert.deepEqual(new Set(heard.map(({ requestId }) => requestId)), ids);
    assert.equal(ids.size, 1000);
    assert.equal(rig.proxy.lostRecords(), 0);
  });
});

describe('access sink', () => {
  test('knows when lines are missing, and cuts off what is not a log', async () => {
    const sink = new AccessSink();
    const port = await sink.listen(await freePort());
    const hosts: string[] = [];
    sink.onRecord = (record) => hosts.push(record.host);
    const line = (sequence: number) =>
      [
        sequence,
        1_700_000_000_000_000,
        200,
        'GET',
        'HTTP/1.1',
        1,
        2,
        3,
        0,
        0,
        'i1',
        '10.0.0.1:80',
        '1.2.3.4:5',
        'http',
        'id',
      ]
        .concat(['app', '', `h${sequence}`, '', '/', '', ''] as never[])
        .join('\t');
    const framed = (text: string) => `${Buffer.byteLength(text)} ${text}`;
    const gone = Promise.withResolvers<void>();
    sink.onGone = () => gone.resolve();
    const socket = connect(port, '127.0.0.1');
    const whole = [1, 2, 5].map((n) => framed(line(n))).join('');
    socket.write(whole.slice(0, 40));
    socket.end(whole.slice(40));
    await gone.promise;
    assert.deepEqual(hosts, ['h1', 'h2', 'h5']);
    assert.equal(sink.lost(), 2);
    const cut = Promise.withResolvers<void>();
    sink.onGone = () => cut.resolve();
    connect(port, '127.0.0.1').write('GET / HTTP/1.1\r\n\r\n');
    await cut.promise;
    await sink.close();
  });
});
