import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import type { LabNode } from '../lab/node.ts';
import { until } from '../lab/until.ts';

const HOST = 'websocket-chat.stackato.localhost';
const LINK_PORT = 61_001;
/** Joins a chat by WebSocket, tells what the server says until it has welcomed, and leaves. */
const JOIN = `
const lines = ['GET /chat HTTP/1.1', 'Host: ' + process.argv[1], 'Connection: Upgrade', 'Upgrade: websocket'];
lines.push('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '');
const socket = require('node:net').connect(80, '127.0.0.1', () => socket.write(lines.join('\\r\\n')));
socket.setTimeout(10_000, () => socket.destroy(new Error('silent for 10 s')));
let said = '';
socket.on('data', (bytes) => {
  said += bytes;
  if (/"instance":"\\d"/.test(said)) socket.destroy();
});
socket.on('close', () => process.stdout.write(said));
`;

describe("an app on another node, through the Core's router", () => {
  let cluster: Cluster;
  let dea: LabNode;
  before(async () => {
    cluster = await Cluster.open();
    dea = await cluster.attach('dea', 'stager');
    const { core } = cluster;
    succeeded(await core.stackato(['target', 'api.stackato.localhost']));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/websocket-chat', import.meta.url));
    succeeded(await core.stackato(['push', '--instances', '2'], { cwd, timeoutMs: 300_000 }));
    // It runs when the push ends; routers hear that at the same time as the client.
    await until('the app is routed', 10_000, async () => (await answer()) === '200');
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const curl = (...args: string[]) => cluster.core.run(['curl', '-s', '-m', '5', ...args]);
  const viaRouter = (...args: string[]) => curl('-H', `Host: ${HOST}`, ...args, 'http://127.0.0.1/');
  const answer = async () => (await viaRouter('-w', '%{http_code}', '-o', '/dev/null')).stdout;
  const hostPorts = async () => {
    const { stdout } = await dea.run(['nft', 'list', 'ruleset']);
    return [...stdout.matchAll(/(\d+) : [\d.]+ \. 8080/g)].map(([, port]) => Number(port));
  };

  test('both instances answer, also a WebSocket', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 40 && seen.size < 2; i++) {
      const { stdout } = await viaRouter('-D', '-', '-o', '/dev/null');
      assert.match(stdout, /^HTTP\/1.1 200/);
      const joined = await cluster.core.run([process.execPath, '-e', JOIN, HOST]);
      const [, instance] = /^HTTP\/1.1 101[\s\S]*welcome, .*"instance":"(\d)"/.exec(joined.stdout) ?? [];
      assert.ok(instance, `${joined.stdout}\n${joined.stderr}`);
      seen.add(instance);
    }
    assert.deepEqual([...seen].sort(), ['0', '1']);
  });

  test('the way there is the link, which takes no one without a certificate of the cluster', async () => {
    assert.equal(await answer(), '200');
    const peers = (await cluster.core.run(['ss', '-H', '-t', '-n', 'dst', dea.address])).stdout;
    const ports = new Set([...peers.matchAll(/:(\d+)\s*$/gm)].map(([, port]) => Number(port)));
    assert.ok(ports.has(LINK_PORT), peers);
    const own = await hostPorts();
    assert.ok(own.length >= 2, `${own}`);
    assert.deepEqual(
      [...ports].filter((port) => own.includes(port)),
      [],
    );
    for (const scheme of ['http', 'https']) {
      const { code, stdout } = await curl('-k', `${scheme}://${dea.address}:${LINK_PORT}/`);
      assert.notEqual(code, 0, stdout);
    }
  });

  test("instances can't be reached past the router", async () => {
    for (const port of await hostPorts()) {
      const url = `http://${dea.address}:${port}/`;
      assert.equal((await dea.run(['curl', '-s', '-m', '5', '-o', '/dev/null', url])).code, 0, 'not on its own node');
      assert.notEqual((await curl(url)).code, 0);
    }
  });

  test('a router process that is killed is followed by one that goes on by TLS, without a failed request', async () => {
    const router = async () => {
      const { stdout } = succeeded(await cluster.core.kato(['process', 'list', '--json']));
      const all: { name: string; pid: number; ready: boolean }[] = JSON.parse(stdout);
      return all.find(({ name }) => name === 'router');
    };
    const first = await router();
    assert.ok(first?.pid);
    process.kill(first.pid, 'SIGKILL');
    const endMs = Date.now() + 60_000;
    for (let next: typeof first | undefined; !next?.ready || next.pid === first.pid; next = await router()) {
      for (let i = 0; i < 10; i++) assert.equal(await answer(), '200');
      assert.ok(Date.now() < endMs, 'no successor came');
    }
    assert.equal(await answer(), '200');
  });
});
