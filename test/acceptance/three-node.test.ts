import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import type { LabNode } from '../lab/node.ts';
import { topologies } from '../lab/topologies.ts';
import { until } from '../lab/until.ts';

const LOAD = fileURLToPath(new URL('../lab/steady-load.ts', import.meta.url));
const RATE = 50;
const SECONDS = 20;

/** Answers with the headers it got; a WebSocket echoes. */
const echo = `
const { createHash } = require('node:crypto');
const accept = (key) => createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
require('node:http')
  .createServer((request, response) => response.end(JSON.stringify(request.headers)))
  .on('upgrade', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    lines.push('Sec-WebSocket-Accept: ' + accept(request.headers['sec-websocket-key']));
    socket.end(lines.join('\\r\\n') + '\\r\\n\\r\\n' + 'hello through the balancer');
  })
  .listen(process.env.PORT);
`;

type NodeState = { readonly address: string; readonly roles: readonly { role: string; state: string }[] };

describe('a cluster of three nodes: a Core with apps, a second controller and router, a load balancer', () => {
  let cluster: Cluster;
  let second: LabNode;
  let balancer: LabNode;
  let host: string;
  let app: string;
  before(async () => {
    cluster = await Cluster.make(topologies['three-node-balanced'] ?? assert.fail());
    [second, balancer] = cluster.attached as [LabNode, LabNode];
    host = `echo.${cluster.domain}`;
    app = writeApp('echo', 2);
    // On its node, names of the platform lead to the load balancer.
    succeeded(await balancer.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await balancer.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    succeeded(await push());
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const push = (cwd = app) => balancer.stackato(['push'], { cwd, timeoutMs: 300_000 });
  const writeApp = (name: string, instances: number) => {
    const folder = join(dirname(balancer.state), name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'server.js'), echo);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, scripts: { start: 'node server.js' } }));
    const entry = `- name: ${name}\n  memory: 64M\n  instances: ${instances}\n`;
    writeFileSync(join(folder, 'manifest.yml'), `---\napplications:\n${entry}`);
    return folder;
  };
  const status = async (): Promise<{ code: number | null; nodes: NodeState[] }> => {
    const { code, stdout } = await cluster.core.kato(['status', '--all', '--json']);
    return { code, nodes: JSON.parse(stdout) };
  };
  /** Asks from the Core, by TLS through the load balancer. */
  const ask = (...args: string[]) =>
    cluster.core.run([
      ...['curl', '-s', '-m', '10', '--cacert', join(cluster.core.state, 'tls', 'ca.pem')],
      ...['--resolve', `${host}:443:${balancer.address}`, ...args],
    ]);
  const steady = async (name: string, path: string, seconds: number) => {
    const ca = join(cluster.core.state, 'tls', 'ca.pem');
    const wanted = { address: balancer.address, host: name, ca, path, rate: RATE, seconds };
    const { stdout } = succeeded(await cluster.core.run([process.execPath, LOAD, JSON.stringify(wanted)]));
    const { ends }: { ends: Record<string, number> } = JSON.parse(stdout);
    return ends;
  };
  const routed = () =>
    readFileSync(join(balancer.state, 'balancer', 'routers'), 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[0] || []);

  test('every role is ready, and the load balancer knows both routers', async () => {
    const { code, nodes } = await status();
    assert.equal(code, 0, JSON.stringify(nodes));
    assert.deepEqual(routed().sort(), [cluster.core.address, second.address].sort());
  });

  test('an app gets the address of its client, and nothing that the client says of it', async () => {
    const forged = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Proto: gopher', 'Forwarded: for=6.6.6.6'];
    const { stdout } = await ask('--http2', `https://${host}/`, ...forged.flatMap((one) => ['-H', one]));
    const seen = JSON.parse(stdout) as Record<string, string>;
    assert.equal(seen['x-forwarded-for']?.split(', ')[0], cluster.core.address);
    assert.equal(seen['x-forwarded-proto'], 'https');
    assert.equal(seen.forwarded, undefined);
    const version = ['-o', '/dev/null', '-w', '%{http_version} %{http_code}'];
    assert.equal((await ask('--http2', ...version, `https://${host}/`)).stdout, '2 200');
  });

  test('a WebSocket goes through', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const headers = [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='].flatMap((one) => ['-H', one]);
    const { stdout } = await ask('--http1.1', '--no-buffer', '-i', ...headers, `https://${host}/`);
    assert.match(stdout, /^HTTP\/1.1 101/);
    assert.match(stdout, /hello through the balancer/);
  });

  test('a certificate of the operator is served at once to those who ask for its name', async () => {
    const [key, certificate] = ['key', 'pem'].map((end) => join(dirname(balancer.state), `shop.${end}`)) as [
      string,
      string,
    ];
    const names = ['-subj', '/CN=shop.example.com', '-addext', 'subjectAltName=DNS:shop.example.com'];
    const files = ['-keyout', key, '-out', certificate];
    succeeded(
      await balancer.run([
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '9',
        ...files,
        ...names,
      ]),
    );
    const custom = ['op', 'custom_ssl_cert'];
    const install = [...custom, 'install', key, certificate, 'shop.example.com'];
    assert.match((await balancer.kato(install)).stderr, /kept by its Core/);
    succeeded(await cluster.core.kato(install));
    const servedAt = async ({ address }: LabNode) => {
      const at = ['--cacert', certificate, '--resolve', `shop.example.com:443:${address}`, '-o', '/dev/null'];
      return (await cluster.core.run(['curl', '-s', '-m', '5', ...at, 'https://shop.example.com/'])).code === 0;
    };
    for (const node of [balancer, second, cluster.core]) await until('served', 10_000, () => servedAt(node));
    assert.equal((await ask('-o', '/dev/null', `https://${host}/`)).code, 0);
    succeeded(await cluster.core.kato([...custom, 'remove', 'shop.example.com']));
    for (const node of [balancer, second]) await until('no longer served', 10_000, async () => !(await servedAt(node)));
  });

  test('a setting that counts at once does on every controller', async () => {
    const set = succeeded(await cluster.core.kato(['config', 'set', 'cluster.name', 'of three', '--json']));
    assert.deepEqual(JSON.parse(set.stdout).processes, []);
    for (const { address } of [cluster.core, second]) {
      const info = ['curl', '-s', '-m', '5', '-H', `Host: api.${cluster.domain}`, `http://${address}/v3/info`];
      await until('named anew', 10_000, async () => (await cluster.core.run(info)).stdout.includes('"of three"'));
    }
  });

  test('no other role goes with a load balancer, and its set-up refuses nodes that have some', async () => {
    const setUp = ['node', 'setup', 'load_balancer'];
    const { code, stderr } = await second.kato(setUp);
    assert.deepEqual([code, /has controller/.test(stderr)], [1, true], stderr);
    assert.match((await cluster.core.kato(setUp)).stderr, /this is the Core node/);
    assert.match(
      (await cluster.core.kato(['role', 'add', 'dea', '-n', balancer.address])).stderr,
      /excludes every other/,
    );
    const again = succeeded(await balancer.kato([...setUp, '--json'], { timeoutMs: 180_000 }));
    assert.deepEqual(JSON.parse(again.stdout).routers.sort(), [cluster.core.address, second.address].sort());
  });

  test('a machine with router and controller vanishes: no request to an app fails, API and console go on', async () => {
    const load = Promise.all([
      steady(host, '/', SECONDS),
      steady(`api.${cluster.domain}`, '/v3', SECONDS),
      steady(`console.${cluster.domain}`, '/', SECONDS),
    ]);
    await until('routed', 10_000, () => routed().length === 2);
    second.cut();
    await until('left out', 15_000, () => routed().length === 1);
    succeeded(await push(writeApp('other', 1)));
    second.mend();
    await until('back', 30_000, () => routed().length === 2);
    const all = { 200: SECONDS * RATE };
    assert.deepEqual(await load, [all, all, all]);
    await until('every role ready', 60_000, async () => (await status()).code === 0);
  });

  test("the Core's controller stops: logging in, pushing and reading logs go on through the other", async () => {
    succeeded(await cluster.core.kato(['stop', 'controller']));
    succeeded(await balancer.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    writeFileSync(join(app, 'again.txt'), 'a file that is uploaded');
    succeeded(await push());
    assert.match(succeeded(await balancer.stackato(['logs', 'echo', '--num', '20'])).stdout, /healthy/);
    succeeded(await cluster.core.kato(['start', 'controller'], { timeoutMs: 180_000 }));
    succeeded(await push());
  });
});
