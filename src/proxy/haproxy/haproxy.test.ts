import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { RouteTable } from '../../core/route-table.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { echoOf, endpointAt, poolOf, proxyConformance } from '../proxy.conformance.ts';
import { GUID, nextRecords, openHaproxyRig, raw, says } from './rig.conformance.ts';

proxyConformance('HAProxy', () => openHaproxyRig());

describe('HAProxy, requests', () => {
  test('tells health checks whether the table is current, also after a reload', async () => {
    await using rig = await openHaproxyRig();
    await rig.proxy.start([]);
    const health = async () => {
      const sent = 'GET /health HTTP/1.1\r\nHost: a.test\r\nUser-Agent: HTTP-Monitor/1.1\r\nConnection: close\r\n\r\n';
      const answer = await raw(rig.options.httpPort, sent, /ok\n/);
      return [/^HTTP\/1\.1 200/.test(answer), /x-stackato-table: (\d)/i.exec(answer)?.[1]];
    };
    assert.deepEqual(await health(), [true, '1']);
    await rig.proxy.vouch(false);
    assert.deepEqual(await health(), [true, '0']);
    await rig.proxy.trust(['10.0.0.1']);
    assert.deepEqual(await health(), [true, '0']);
    await rig.proxy.vouch(true);
    assert.deepEqual(await health(), [true, '1']);
  });

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

  test('speaks HTTP/2 to endpoints that ask for it', async () => {
    await using rig = await openHaproxyRig();
    const server = createHttp2((request, response) => response.end(`h2 ${request.httpVersion} ${request.url}`));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      await rig.proxy.start([]);
      const table = new RouteTable(120_000);
      const message = { ...says('i1', { host: '127.0.0.1', port }), protocol: 'http2' };
      await rig.proxy.apply(table.register(message, 0));
      assert.equal((await rig.request({ host: 'a.test', path: '/x' })).body, 'h2 2.0 /x');
    } finally {
      server.close();
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
    const records = nextRecords(rig, 1);
    const response = await rig.request({ host: 'a.test', headers: { 'x-forwarded-for': '9.9.9.9' } });
    assert.equal(echoOf(response).headers['x-forwarded-for'], '9.9.9.9, 127.0.0.1');
    assert.equal((await records)[0]?.forwardedFor, '9.9.9.9, 127.0.0.1');
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

    const askProcess = (wanted: string) =>
      rig.request({ host: 'a.test', headers: { 'x-cf-process-instance': wanted } });
    assert.equal(echoOf(await askProcess(`${GUID}:2`)).name, 'n2');
    assert.equal((await askProcess(GUID)).status, 200);
    const other = await askProcess(GUID.replaceAll('1', '2'));
    assert.equal(other.headers['x-cf-routererror'], 'unknown_route');
    const cut = await askProcess(`${GUID}:`);
    assert.equal(cut.headers['x-cf-routererror'], 'invalid_cf_process_instance_header');
  });

  test('repeats a request that is safe to repeat at another endpoint, and no other', async () => {
    await using rig = await openHaproxyRig();
    const seen: Record<string, number> = {};
    const serve = () =>
      rig.serve((req, res) => {
        seen[req.method ?? ''] = (seen[req.method ?? ''] ?? 0) + 1;
        if (seen[req.method ?? ''] === 1) req.socket.destroy();
        else res.end('second');
      });
    const [lone, other] = [endpointAt('i1', await serve()), endpointAt('i2', await serve())];
    const platform = { ...endpointAt('api', lone), app: '' };
    await rig.proxy.start([poolOf('lone.test', lone), poolOf('a.test', lone, other), poolOf('api.test', platform)]);
    assert.equal((await rig.request({ host: 'a.test' })).body, 'second');
    const post = await rig.request({ host: 'a.test', method: 'POST' });
    assert.equal(post.status, 502);
    assert.equal(seen.POST, 1);
    assert.equal((await rig.request({ host: 'lone.test', method: 'OPTIONS' })).status, 502);
    assert.equal(seen.OPTIONS, 1);
    assert.equal((await rig.request({ host: 'api.test', method: 'TRACE' })).body, 'second');
    assert.equal(seen.TRACE, 2, 'an endpoint of the platform may be several');
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
