import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { BalancerRig } from './rig.conformance.ts';

const skip = process.getuid?.() === 0 ? false : 'nginx as the platform runs it needs root';
const named = (name: string) => (_request: IncomingMessage, response: ServerResponse) => void response.end(name);
const echo = (request: IncomingMessage, response: ServerResponse) => void response.end(JSON.stringify(request.headers));

describe('load balancer', { skip }, () => {
  test('sends requests to every router in turn', async () => {
    await using rig = await BalancerRig.open();
    const routers = [await rig.router(named('a')), await rig.router(named('b')), await rig.router(named('c'))];
    rig.list(...routers);
    await rig.balancer.start();
    for (let i = 0; i < 9; i++) assert.equal((await rig.request()).status, 200);
    assert.deepEqual(
      routers.map(({ requests }) => requests()),
      [3, 3, 3],
    );
    assert.equal(rig.balancer.unwell(), undefined);
  });

  test('hands on the address of the client and drops what the client says of it', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router(echo));
    await rig.balancer.start();
    const forged = {
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Proto': 'gopher',
      'X-Forwarded-Host': 'evil.test',
      'X-Forwarded-Client-Cert': 'forged',
      'X-FORWARDED-USER': 'root',
      Forwarded: 'for=6.6.6.6',
      'X-Own': 'stays',
    };
    for (const isPlain of [false, true]) {
      const seen = JSON.parse((await rig.request({ headers: forged, isPlain })).body) as Record<string, string>;
      const about = Object.entries(seen).filter(([name]) => /forwarded|own/.test(name));
      assert.deepEqual(Object.fromEntries(about), {
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': isPlain ? 'http' : 'https',
        'x-forwarded-host': 'app.cloud.test',
        'x-forwarded-port': String(isPlain ? rig.options.httpPort : rig.options.httpsPort),
        'x-own': 'stays',
      });
      assert.equal(seen.host, 'app.cloud.test');
    }
  });

  test('without a router it says so with 503, and serves as soon as one is up', async () => {
    await using rig = await BalancerRig.open();
    await rig.balancer.start();
    const answer = await rig.request();
    assert.equal(answer.status, 503);
    assert.match(answer.body, /no router/);
    assert.match(rig.balancer.unwell() ?? '', /no node with the role router/);
    const router = await rig.router(named('late'));
    rig.list(router);
    await rig.untilRouted(router);
    assert.equal((await rig.request()).body, 'late');
  });

  test('passes over a router whose routes may be old while another knows better', async () => {
    await using rig = await BalancerRig.open();
    const [old, current] = [await rig.router(named('old')), await rig.router(named('current'))];
    rig.list(old, current);
    await rig.balancer.start();
    old.fallBehind(true);
    await rig.untilRouted(current);
    current.fallBehind(true);
    await rig.untilRouted(old, current);
    old.fallBehind(false);
    await rig.untilRouted(old);
  });

  test('leaves the answers of apps as they are, instructions to nginx too', async () => {
    await using rig = await BalancerRig.open();
    rig.list(
      await rig.router((request, response) => {
        const headers = { server: 'mine', 'x-accel-redirect': '/routers', date: 'Thu, 01 Jan 1970 00:00:00 GMT' };
        response.writeHead(Number(request.url?.slice(1)), headers).end('mine');
      }),
    );
    await rig.balancer.start();
    for (const status of [200, 404, 500, 502, 503, 504]) {
      const answer = await rig.request({ path: `/${status}` });
      assert.deepEqual([answer.status, answer.body, answer.headers.server], [status, 'mine', 'mine']);
      assert.match(answer.headers.date ?? '', /1970/);
    }
  });

  test('streams both ways at once', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router((request, response) => void request.pipe(response)));
    await rig.balancer.start();
    const { request } = await import('node:https');
    const outgoing = request({
      ...{ host: '127.0.0.1', port: rig.options.httpsPort, servername: 'app.cloud.test', ca: await rig.authority() },
      ...{ method: 'POST', agent: false, headers: { host: 'app.cloud.test' } },
    });
    outgoing.write('one');
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal(String((await once(answer, 'data'))[0]), 'one');
    outgoing.write('two');
    assert.equal(String((await once(answer, 'data'))[0]), 'two');
    outgoing.end();
    answer.resume();
    await once(answer, 'end');
  });

  test('passes uploads of any size on', async () => {
    await using rig = await BalancerRig.open();
    rig.list(
      await rig.router(async (request, response) => {
        let bytes = 0;
        for await (const chunk of request) bytes += (chunk as Buffer).length;
        response.end(String(bytes));
      }),
    );
    await rig.balancer.start();
    const body = 'x'.repeat(20_000_000);
    assert.equal((await rig.request({ method: 'PUT', body })).body, String(body.length));
  });

  test('carries WebSockets', async () => {
    await using rig = await BalancerRig.open();
    const router = await rig.router(echo, (request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    rig.list(router);
    await rig.balancer.start();
    const { request } = await import('node:http');
    const headers = { host: 'app.cloud.test', upgrade: 'websocket', connection: 'Upgrade' };
    const outgoing = request({ host: '127.0.0.1', port: rig.options.httpPort, headers, agent: false }).end();
    const [, socket] = (await once(outgoing, 'upgrade')) as [IncomingMessage, import('node:net').Socket];
    socket.write('ping');
    assert.equal(String((await once(socket, 'data'))[0]), 'ping');
    socket.destroy();
  });

  test('speaks HTTP/2 with clients', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router(echo));
    await rig.balancer.start();
    const { connect } = await import('node:http2');
    const session = connect(`https://127.0.0.1:${rig.options.httpsPort}`, {
      ca: await rig.authority(),
      servername: 'app.cloud.test',
    });
    const stream = session.request({ ':path': '/', ':authority': 'app.cloud.test' });
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    assert.equal((JSON.parse(text) as { host: string }).host, 'app.cloud.test');
    session.close();
    await once(session, 'close');
  });
});
