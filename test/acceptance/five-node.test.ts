import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import type { LabNode } from '../lab/node.ts';
import { topologies } from '../lab/topologies.ts';
import { until } from '../lab/until.ts';

const HOST = 'websocket-chat.stackato.localhost';
const INSTANCES = 3;
/**
 * A lost DEA's instances run elsewhere: it counts as lost after 8 s of silence, and the rest is what a start takes on a
 * machine that holds five nodes. When it is begun is tested on a clock that does not depend on the machine.
 */
const HEALED_MS = 30_000;

type NodeState = { readonly address: string; readonly roles: readonly { role: string; state: string }[] };

describe('a cluster of five nodes', () => {
  let cluster: Cluster;
  let deas: LabNode[];
  before(async () => {
    cluster = await Cluster.make(topologies['five-node'] ?? assert.fail());
    deas = cluster.attached.slice(1);
    const { core } = cluster;
    succeeded(await core.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/websocket-chat', import.meta.url));
    succeeded(await core.stackato(['push', '--instances', String(INSTANCES)], { cwd, timeoutMs: 300_000 }));
    // It runs when the push ends; routers hear that at the same time as the client.
    await until('the app is routed', 10_000, async () => (await ask()) === '200');
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const status = async (): Promise<{ code: number | null; nodes: NodeState[] }> => {
    const { code, stdout } = await cluster.core.kato(['status', '--all', '--json']);
    return { code, nodes: JSON.parse(stdout) };
  };
  const statesOf = (nodes: readonly NodeState[], { address }: LabNode) =>
    Object.fromEntries(
      nodes.find((one) => one.address === address)?.roles.map(({ role, state }) => [role, state]) ?? [],
    );
  /** Host ports that a DEA leads to an instance of the app. */
  const instancesOn = async (dea: LabNode) => {
    const { stdout } = await dea.run(['nft', 'list', 'ruleset']);
    return [...stdout.matchAll(/(\d+) : [\d.]+ \. 8080/g)].length;
  };
  const ask = async () => {
    const answer = ['-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${HOST}`];
    return (await cluster.core.run(['curl', ...answer, 'http://127.0.0.1/'])).stdout;
  };
  /** Asks the app all the while. */
  const asked = async (meanwhile: () => Promise<void>) => {
    const answers: string[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) answers.push(await ask());
    })();
    await meanwhile().finally(() => {
      isOver = true;
    });
    await asking;
    return answers;
  };
  const sumOn = async (nodes: readonly LabNode[]) =>
    (await Promise.all(nodes.map(instancesOn))).reduce((sum, count) => sum + count, 0);

  test('every role of every node is ready, and the instances are spread over the DEAs', async () => {
    const { code, nodes } = await status();
    assert.equal(code, 0, JSON.stringify(nodes));
    assert.equal(nodes.length, 5);
    assert.deepEqual(await Promise.all(deas.map(instancesOn)), [1, 1, 1]);
    assert.equal(await ask(), '200');
  });

  test('a command runs on another node, and on all of them', async () => {
    const [dea] = deas;
    const { stdout } = succeeded(await cluster.core.kato(['process', 'list', '-n', dea?.address ?? '', '--json']));
    assert.deepEqual(
      JSON.parse(stdout).map(({ name }: { name: string }) => name),
      ['link', 'dea', 'base'],
    );
    const all = succeeded(await cluster.core.kato(['restart', 'dea', '-n', 'all', '--json'], { timeoutMs: 180_000 }));
    assert.deepEqual(
      JSON.parse(all.stdout).map((one: { address: string; code: number }) => [one.address, one.code]),
      deas.map(({ address }) => [address, 0]),
    );
    const unknown = await cluster.core.kato(['status', '-n', '10.1.2.3']);
    assert.deepEqual([unknown.code, /no node '10\.1\.2\.3'/.test(unknown.stderr)], [1, true]);
    const elsewhere = await (dea ?? cluster.core).kato(['status', '-n', 'all']);
    assert.match(elsewhere.stderr, /only the Core node runs commands on other nodes/);
  });

  test('a DEA that drops off the network: no request fails, its instances run elsewhere, extras end when it is back', async (context) => {
    const [lost, ...others] = deas as [LabNode, LabNode, LabNode];
    context.after(() => lost.mend());
    const answers = await asked(async () => {
      lost.cut();
      await until('replaced', HEALED_MS, async () => (await sumOn(others)) === INSTANCES);
    });
    assert.deepEqual([...new Set(answers)], ['200']);
    const { code, nodes } = await status();
    assert.deepEqual([code, statesOf(nodes, lost)], [1, { base: 'UNKNOWN', dea: 'UNKNOWN' }]);
    const back = await asked(async () => {
      lost.mend();
      await until('all nodes ready', 60_000, async () => (await status()).code === 0);
      await until('no extra instances', 30_000, async () => (await sumOn(deas)) === INSTANCES);
    });
    assert.deepEqual([...new Set(back)], ['200']);
  });

  test('roles are given to an attached node and taken from it', async () => {
    const { core } = cluster;
    const [stager] = cluster.attached as [LabNode];
    succeeded(await core.kato(['role', 'add', 'router', '-n', stager.address], { timeoutMs: 180_000 }));
    assert.deepEqual(statesOf((await status()).nodes, stager), { base: 'READY', stager: 'READY', router: 'READY' });
    const { stdout } = await core.run(['curl', '-s', '-m', '10', '-H', `Host: ${HOST}`, `http://${stager.address}/`]);
    assert.ok(stdout.length > 0, 'the new router routes');
    const second = await core.kato(['role', 'add', 'primary', '-n', stager.address]);
    assert.match(second.stderr, /exactly one/);
    succeeded(await core.kato(['role', 'remove', 'router', '-n', stager.address], { timeoutMs: 180_000 }));
    assert.deepEqual(statesOf((await status()).nodes, stager), { base: 'READY', stager: 'READY' });
  });

  test('a dead node is removed, and the cluster is whole without it', async () => {
    const { core } = cluster;
    const dead = deas[2] ?? assert.fail();
    dead.cut();
    // Without base, which keeps the Core's copy of the nodes: status tells the truth at once.
    succeeded(await core.kato(['process', 'stop', 'base']));
    succeeded(await core.kato(['node', 'remove', dead.address]));
    const { nodes } = await status();
    assert.equal(nodes.length, 4);
    succeeded(await core.kato(['process', 'start', 'base']));
    await until('replaced', HEALED_MS, async () => (await sumOn(deas.slice(0, 2))) === INSTANCES);
    dead.mend();
    const { stderr, code } = await dead.kato(['node', 'list']);
    assert.equal(code, 1, stderr);
    // What it still has of its join does not let it in again.
    const back = await dead.kato(['node', 'attach', core.address, '-e', 'dea'], { timeoutMs: 180_000 });
    assert.deepEqual([back.code, /token was used already/.test(back.stderr)], [1, true], back.stderr);
    assert.equal((await status()).code, 0);
    // It runs still, with the password of its supervisord; a token of its own brings it back.
    const token = succeeded(await core.kato(['node', 'token'])).stdout.trim();
    const again = ['node', 'attach', core.address, '-e', 'dea', '--token', token];
    succeeded(await dead.kato(again, { timeoutMs: 180_000 }));
    await until('five nodes are ready', 60_000, async () => {
      const { code, nodes } = await status();
      return code === 0 && nodes.length === 5;
    });
  });
});
