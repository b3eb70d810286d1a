import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import { Load } from './load.conformance.ts';
import { listHolders, listNginx } from './nginx/found-process.ts';
import { BalancerRig, until } from './rig.conformance.ts';

const skip = process.getuid?.() === 0 ? false : 'nginx as the platform runs it needs root';
const named = (name: string) => (request: IncomingMessage, response: ServerResponse) => {
  request.resume();
  request.on('end', () => response.end(name));
};

describe('load balancer, as routers and its own processes come and go', { skip }, () => {
  test('routers that come and leave under load cost no request', async () => {
    await using rig = await BalancerRig.open();
    const [a, b, c] = [await rig.router(named('a')), await rig.router(named('b')), await rig.router(named('c'))];
    rig.list(a, b);
    await rig.balancer.start();
    const load = new Load(rig);
    for (const routers of [[a, b, c], [b, c], [c], [a, c], [a, b, c]]) {
      rig.list(...routers);
      await rig.untilRouted(...routers);
      await load.more(200);
    }
    const tally = await load.end();
    assert.deepEqual([tally.failures, tally.failedPosts], [[], 0]);
    assert.ok(c.requests() > 100 && a.requests() > 100);
  });

  test('a router that dies under load costs at most the POSTs it was working on, and is left out within 2 s', async () => {
    await using rig = await BalancerRig.open();
    const [a, b] = [await rig.router(named('a')), await rig.router(named('b'))];
    rig.list(a, b);
    await rig.balancer.start();
    const load = new Load(rig);
    await load.more(300);
    await b.kill();
    const killedMs = Date.now();
    await rig.untilRouted(a);
    const tookMs = Date.now() - killedMs;
    await load.more(300);
    const tally = await load.end();
    assert.deepEqual(tally.failures, []);
    assert.ok(tally.failedPosts <= 8, `${tally.failedPosts} POSTs failed`);
    assert.ok(tookMs < 2000, `took ${tookMs} ms`);
    assert.match(JSON.stringify(rig.balancer.varz()), /ECONNREFUSED/);
  });

  test('a GET that a dying router was working on is answered by another one', async () => {
    await using rig = await BalancerRig.open();
    const begun = Promise.withResolvers<void>();
    const dying = await rig.router(() => begun.resolve());
    const other = await rig.router(named('other'));
    rig.list(dying, other);
    await rig.balancer.start();
    const answers = [rig.request(), rig.request()];
    await begun.promise;
    await dying.kill();
    for (const answer of answers) assert.equal((await answer).body, 'other');
  });

  test('a GET that a router fell silent on is answered by another one, long before it would time out', async () => {
    await using rig = await BalancerRig.open();
    const begun = Promise.withResolvers<void>();
    const silent = await rig.router(() => begun.resolve());
    const other = await rig.router(named('other'));
    rig.list(silent, other);
    await rig.balancer.start();
    const answers = [rig.request(), rig.request()];
    await begun.promise;
    silent.hang();
    for (const answer of answers) assert.equal((await answer).body, 'other');
    await rig.untilRouted(other);
  });

  test('a router with a certificate of others gets no request', async () => {
    await using rig = await BalancerRig.open();
    const router = await rig.router(named('a'));
    rig.list(router);
    rig.succeed({ routerName: 'else.test' });
    await rig.balancer.start();
    assert.equal((await rig.request()).status, 503);
    assert.match(rig.balancer.unwell() ?? '', /altnames/);
  });

  test('is adopted by a successor, with its open connections', async () => {
    await using rig = await BalancerRig.open();
    const router = await rig.router(named('a'));
    rig.list(router);
    await rig.balancer.start();
    const { pid } = rig.nginx;
    const load = new Load(rig);
    await load.more(50);
    await rig.balancer.stop(true);
    await load.more(50);
    await rig.succeed().start();
    await load.more(50);
    assert.equal(rig.nginx.pid, pid);
    const tally = await load.end();
    assert.deepEqual([tally.failures, tally.failedPosts], [[], 0]);
  });

  test('a successor with other settings reloads it', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router(named('a')));
    await rig.balancer.start();
    const { pid } = rig.nginx;
    await rig.balancer.stop(true);
    await rig.succeed({ idleS: 77 }).start();
    assert.equal(rig.nginx.pid, pid);
    assert.match(await readFile(`${rig.folder}/run/nginx.conf`, 'utf8'), /proxy_read_timeout 77s/);
    assert.equal((await rig.request()).body, 'a');
  });

  test('comes back when it is killed, its workers too', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router(named('a')));
    await rig.balancer.start();
    const { pid } = rig.nginx;
    process.kill(pid, 'SIGKILL');
    await until('a new nginx', async () => rig.nginx.pid !== pid && (await rig.nginx.isAlive()));
    assert.equal((await rig.request()).body, 'a');
  });

  test('ends with its workers', async () => {
    await using rig = await BalancerRig.open();
    await rig.balancer.start();
    const pids = await listHolders(`${rig.folder}/run/control.sock`);
    assert.equal(pids.length, 1 + rig.options.workers);
    await rig.balancer.stop(false);
    assert.deepEqual(await listNginx(pids), []);
  });

  test('serves a certificate added later to those who ask for its name, and leaves out what is none', async () => {
    await using rig = await BalancerRig.open();
    rig.list(await rig.router(named('a')));
    await rig.balancer.start();
    const nameServed = async (servername: string) => {
      const socket = connect({ host: '127.0.0.1', port: rig.options.httpsPort, servername, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const names = socket.getPeerCertificate().subjectaltname;
      socket.destroy();
      return names;
    };
    assert.equal(await nameServed('www.shop.test'), 'DNS:cloud.test, DNS:*.cloud.test');
    const formerWorkers = (await listHolders(`${rig.folder}/run/control.sock`)).filter((pid) => pid !== rig.nginx.pid);
    await mkdir(rig.options.certificates, { recursive: true });
    await copyFile('/etc/hostname', `${rig.options.certificates}/aaa.pem`);
    await rig.certificate(`${rig.options.certificates}/shop.pem`, 'DNS:shop.test', 'DNS:*.shop.test');
    await until('the new certificate', async () => (await nameServed('www.shop.test'))?.includes('shop.test') === true);
    // One of the workers from before may take connections for a moment more.
    await until('only new workers', async () => (await listNginx(formerWorkers)).length === 0);
    assert.equal(await nameServed('app.cloud.test'), 'DNS:cloud.test, DNS:*.cloud.test');
    assert.equal(await nameServed('unknown.test'), 'DNS:cloud.test, DNS:*.cloud.test');
    const headers = { host: 'www.shop.test' };
    assert.equal((await rig.request({ servername: 'www.shop.test', headers })).body, 'a');
  });

  test('names the port and the process that has it', async () => {
    await using rig = await BalancerRig.open();
    const server = createServer().listen(rig.options.httpPort, '127.0.0.1');
    await once(server, 'listening');
    const expected = new RegExp(`port ${rig.options.httpPort} is already in use by .* \\(pid ${process.pid}\\)`);
    await assert.rejects(rig.balancer.start(), expected);
    server.close();
    await once(server, 'close');
  });
});
