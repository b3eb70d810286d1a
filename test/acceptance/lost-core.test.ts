import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import { LabNode } from '../lab/node.ts';
import { until } from '../lab/until.ts';

const HOST = 'static-site.stackato.localhost';
const AWAY_MS = 30_000;

describe('the Core is lost for a while', () => {
  let cluster: Cluster;
  let worker: LabNode;
  let fresh: LabNode | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'lost-core-'));
  const archive = join(folder, 'stackato.age');
  const passphrase = { input: 'some words of the operator', timeoutMs: 180_000 };

  before(async () => {
    cluster = await Cluster.make({ core: ['stager'], nodes: [['dea', 'router']] });
    const [first] = cluster.attached;
    worker = first ?? assert.fail();
    const { core } = cluster;
    succeeded(await core.stackato(['target', 'api.stackato.localhost']));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/static-site', import.meta.url));
    succeeded(await core.stackato(['push'], { cwd, timeoutMs: 300_000 }));
  });

  after(async () => {
    await fresh?.remove();
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As the router beside the DEA answers. */
  const answer = async () => {
    const args = ['-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${HOST}`, 'http://127.0.0.1/'];
    return (await worker.run(['curl', ...args])).stdout;
  };
  const states = async (node: LabNode, address: string): Promise<string[]> => {
    const { stdout, stderr } = await node.kato(['status', '--all', '--json'], { timeoutMs: 60_000 });
    assert.notEqual(stdout, '', stderr);
    const nodes: { address: string; roles: { state: string }[] }[] = JSON.parse(stdout);
    return nodes.find((one) => one.address === address)?.roles.map(({ state }) => state) ?? [];
  };

  const untilWorkerIsReady = (core: LabNode) =>
    until('the other node is ready', 60_000, async () => {
      const seen = await states(core, worker.address);
      return (seen.length > 0 && seen.every((state) => state === 'READY')) || seen;
    });

  test('killed all at once: apps go on, and status says that it does not answer', { timeout: 240_000 }, async () => {
    await until('the app is routed', 10_000, async () => (await answer()) === '200');
    cluster.core.killProcesses();
    const endMs = Date.now() + AWAY_MS;
    while (Date.now() < endMs) {
      assert.equal(await answer(), '200');
      await new Promise((done) => setTimeout(done, 200));
    }
    assert.deepEqual([...new Set(await states(worker, cluster.core.address))], ['UNKNOWN']);
    assert.deepEqual([...new Set(await states(worker, worker.address))], ['WAITING']);
    assert.equal(await answer(), '200');
  });

  test('meanwhile roles of another node restart and stop as ever', { timeout: 240_000 }, async () => {
    const restart = async (...roles: string[]) => {
      const { stdout } = succeeded(await worker.kato(['restart', ...roles, '--json'], { timeoutMs: 80_000 }));
      const { state, because } = JSON.parse(stdout);
      assert.equal(state, 'WAITING');
      assert.match(because, /the bus on the Core node \([\d.]+\) does not answer/);
    };
    await restart();
    // What waits for the bus leaves its charges to the next one too.
    await restart('router');
    assert.equal(await answer(), '200');
    succeeded(await worker.kato(['stop', 'router']));
    assert.equal(await answer(), '000');
  });

  test('it returns: the other node is there by itself, and takes work', { timeout: 240_000 }, async () => {
    succeeded(await cluster.core.kato(['start'], { timeoutMs: 180_000 }));
    succeeded(await worker.kato(['start', 'router'], { timeoutMs: 120_000 }));
    await untilWorkerIsReady(cluster.core);
    assert.equal(await answer(), '200');
    const { stdout } = succeeded(await cluster.core.stackato(['scale', 'static-site', '-i', '2']));
    assert.match(stdout, /2/);
    assert.equal(await answer(), '200');
  });

  test('it is gone for good: another machine becomes it, and apps go on meanwhile', { timeout: 400_000 }, async () => {
    succeeded(await cluster.core.kato(['data', 'export', archive, '--passphrase-stdin'], passphrase));
    cluster.core.killProcesses();
    cluster.core.cut();
    fresh = LabNode.create();
    succeeded(await fresh.kato(['node', 'setup', 'core', 'api.other.localhost', '--yes'], { timeoutMs: 600_000 }));
    succeeded(await fresh.kato(['role', 'add', 'stager'], { timeoutMs: 600_000 }));
    assert.equal(await answer(), '200');
    succeeded(await fresh.kato(['data', 'restore', archive, '--passphrase-stdin', '--force'], passphrase));
    succeeded(await worker.kato(['node', 'reattach', fresh.address], { timeoutMs: 180_000 }));
    await untilWorkerIsReady(fresh);
    assert.equal(await answer(), '200');
    succeeded(await fresh.stackato(['target', 'api.stackato.localhost']));
    succeeded(await fresh.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    succeeded(await fresh.stackato(['target', '-o', 'acme', '--space', 'dev']));
    const { stdout } = succeeded(await fresh.stackato(['restage', 'static-site'], { timeoutMs: 180_000 }));
    assert.match(stdout, /running/);
    assert.equal(await answer(), '200');
  });
});
