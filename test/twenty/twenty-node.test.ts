import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import { busyS, costOf, freeDiskGb } from '../lab/cost.ts';
import type { LabNode } from '../lab/node.ts';
import { topologies } from '../lab/topologies.ts';

const LOAD = fileURLToPath(new URL('../lab/steady-load.ts', import.meta.url));
const RATE = 50;
const HOST = 'many.stackato.localhost';
/** 12 DEAs, with an instance or two on each. */
const INSTANCES = 16;
/** What the stores of the nodes with containers take while the cluster is up, and what must be left. */
const NEEDED_GB = 45;

const tell = (text: string) => process.stdout.write(`${text}\n`);

describe('a cluster of twenty nodes', () => {
  const topology = topologies['twenty-node'] ?? assert.fail();
  const byRole = new Map<string, LabNode[]>();
  let cluster: Cluster;
  let balancer: LabNode;
  before(async () => {
    const free = freeDiskGb('/tmp');
    assert.ok(free >= NEEDED_GB, `it needs ${NEEDED_GB} GB of disk, and /tmp has ${free}`);
    const [startedMs, startedS] = [Date.now(), busyS()];
    cluster = await Cluster.make(topology, {
      said: (text) => tell(`${Math.round((Date.now() - startedMs) / 1000)} s  ${text}`),
    });
    for (const [at, roles] of topology.nodes.entries()) {
      const [role = ''] = roles;
      byRole.set(role, [...(byRole.get(role) ?? []), cluster.attached[at] ?? assert.fail()]);
    }
    balancer = nodesWith('load_balancer')[0] ?? assert.fail();
    tell(
      `made in ${Math.round((Date.now() - startedMs) / 1000)} s, with ${Math.round(busyS() - startedS)} s of processor time`,
    );
    succeeded(await balancer.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await balancer.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    succeeded(await push('many', INSTANCES));
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const nodesWith = (role: string) => byRole.get(role) ?? [];
  const push = (name: string, instances: number) => {
    const cwd = join(dirname(balancer.state), name);
    mkdirSync(cwd, { recursive: true });
    const server = "require('node:http').createServer((_, response) => response.end('here')).listen(process.env.PORT);";
    writeFileSync(join(cwd, 'server.js'), server);
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name, scripts: { start: 'node server.js' } }));
    return balancer.stackato(['push', name, '--instances', String(instances), '--mem', '64M'], {
      cwd,
      timeoutMs: 600_000,
    });
  };
  const status = async (): Promise<{ code: number | null; silent: string[] }> => {
    const { code, stdout } = await cluster.core.kato(['status', '--all', '--json']);
    const nodes: { address: string; roles: { state: string }[] }[] = JSON.parse(stdout);
    const silent = nodes.filter(({ roles }) => roles.some(({ state }) => state !== 'READY'));
    return { code, silent: silent.map(({ address }) => address) };
  };
  const until = async (what: string, ms: number, holds: () => Promise<boolean>) => {
    const startedMs = Date.now();
    while (!(await holds())) assert.ok(Date.now() < startedMs + ms, `${what} within ${ms} ms`);
    tell(`${what} after ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  };
  const routed = () =>
    readFileSync(join(balancer.state, 'balancer', 'routers'), 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[0] || []);
  const instancesOn = async (dea: LabNode) => {
    const { stdout } = await dea.run(['nft', 'list', 'ruleset']);
    return [...stdout.matchAll(/(\d+) : [\d.]+ \. 8080/g)].length;
  };
  const counts = (deas: readonly LabNode[]) => Promise.all(deas.map(instancesOn));
  /** Asks at a steady rate through the load balancer while something happens. */
  const steadily = async (what: string, host: string, path: string, meanwhile: () => Promise<void>) => {
    const ca = join(cluster.core.state, 'tls', 'ca.pem');
    const wanted = { address: balancer.address, host, ca, path, rate: RATE, seconds: 30 };
    const load = cluster.core.run([process.execPath, LOAD, JSON.stringify(wanted)]);
    await meanwhile();
    const result: { sent: number; ends: Record<string, number>; slowestMs: number } = JSON.parse(
      succeeded(await load).stdout,
    );
    tell(`${what}: ${JSON.stringify(result)}`);
    return result.ends;
  };

  test('every role is ready, and an app is spread over every DEA', async () => {
    const { code, silent } = await status();
    assert.equal(code, 0, `${silent}`);
    assert.equal(cluster.attached.length + 1, 20);
    const deas = nodesWith('dea');
    await until('spread', 30_000, async () => (await counts(deas)).reduce((sum, one) => sum + one, 0) === INSTANCES);
    const spread = await counts(deas);
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 1, `${spread}`);
    const cost = [cluster.core, ...cluster.attached].map((node) => ({ node, ...costOf(node) }));
    const sum = (key: 'memoryMb' | 'storeMb' | 'processes') => cost.reduce((total, one) => total + one[key], 0);
    tell(`cost: ${sum('processes')} processes, ${sum('memoryMb')} MB of memory, ${sum('storeMb')} MB of stores`);
    for (const role of ['controller', 'load_balancer', 'router', 'stager', 'dea']) {
      const one = cost.find(({ node }) => node === nodesWith(role)[0]);
      tell(`  ${role}: ${one?.memoryMb} MB, store ${one?.storeMb} MB`);
    }
    tell(`  Core: ${cost[0]?.memoryMb} MB`);
    const beforeS = busyS();
    await new Promise((done) => setTimeout(done, 10_000));
    tell(`idle: ${(busyS() - beforeS).toFixed(1)} s of processor time in 10 s, with whatever else runs here`);
  });

  test('a router vanishes: no request fails', async () => {
    const [router] = nodesWith('router') as [LabNode];
    const ends = await steadily('a router vanishes', HOST, '/', async () => {
      router.cut();
      await until('the router is left out', 20_000, async () => !routed().includes(router.address));
      router.mend();
      await until('the router is back', 60_000, async () => routed().includes(router.address));
    });
    assert.deepEqual(ends, { 200: 30 * RATE });
  });

  test('a controller vanishes: the API goes on, and apps are pushed', async () => {
    const [controller] = nodesWith('controller') as [LabNode];
    const ends = await steadily('a controller vanishes', `api.${cluster.domain}`, '/v3', async () => {
      controller.cut();
      succeeded(await push('more', 2));
    });
    controller.mend();
    assert.deepEqual(ends, { 200: 30 * RATE });
  });

  test('a DEA vanishes: its instances run on others, and all is well when it is back', async () => {
    const deas = nodesWith('dea');
    const [lost, ...others] = deas as [LabNode, ...LabNode[]];
    const all = INSTANCES + 2;
    const ends = await steadily('a DEA vanishes', HOST, '/', async () => {
      lost.cut();
      await until('replaced', 30_000, async () => (await counts(others)).reduce((a, b) => a + b, 0) === all);
      lost.mend();
    });
    assert.deepEqual(ends, { 200: 30 * RATE });
    await until('every role ready', 120_000, async () => (await status()).code === 0);
  });
});
