import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, MicroCloud } from './micro-cloud.ts';

const SAMPLES = fileURLToPath(new URL('../../samples', import.meta.url));
const WELCOME = 'welcome.stackato.localhost';

type ProcessRow = { name: string; state: string; pid: number; ready: boolean };

describe('a micro cloud', () => {
  let cloud: MicroCloud;

  before(async () => {
    cloud = await MicroCloud.open();
  });

  after(() => cloud[Symbol.asyncDispose]());

  const json = async (args: readonly string[]) => {
    const { stdout, stderr } = await cloud.node.kato([...args, '--json']);
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout);
  };
  const processes = async (): Promise<ProcessRow[]> => json(['process', 'list']);
  const pidOf = async (name: string) => (await processes()).find((one) => one.name === name)?.pid ?? 0;
  const ok = async (outcome: Promise<{ code: number | null; stdout: string; stderr: string }>) => {
    const { code, stdout, stderr } = await outcome;
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  };

  test('serves the welcome app through the router', async () => {
    const { status, body } = await cloud.get(WELCOME);
    assert.equal(status, 200);
    assert.match(body, /<html/i);
  });

  test('says where things are in the last three lines, and setting up again changes nothing', async () => {
    const before = await processes();
    const { code, stdout, stderr } = await cloud.setUp();
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').slice(-3), [
      'http://console.stackato.localhost',
      'http://api.stackato.localhost',
      `http://${WELCOME}`,
    ]);
    assert.doesNotMatch(stderr, /: done in/);
    assert.deepEqual(
      (await processes()).map(({ pid }) => pid),
      before.map(({ pid }) => pid),
    );
  });

  test('every role is ready, and says so as text and as JSON', async () => {
    const status = (await json(['status'])) as { roles: { role: string; state: string }[] };
    assert.deepEqual(
      status.roles.map(({ role, state }) => `${role} ${state}`),
      ['base', 'primary', 'controller', 'router', 'dea', 'stager'].map((role) => `${role} READY`),
    );
    assert.equal((await ok(cloud.node.kato(['process', 'ready', 'all']))).trim(), 'READY');
    const info = (await json(['info'])) as { assignedRoles: string[]; api: string };
    assert.equal(info.api, 'http://api.stackato.localhost');
    assert.ok((await processes()).every(({ state, ready, pid }) => state === 'RUNNING' && ready && pid > 0));
  });

  test('the API and the console answer behind the router', async () => {
    const root = await cloud.get('api.stackato.localhost');
    assert.equal(root.status, 200);
    assert.equal(typeof JSON.parse(root.body).links.cloud_controller_v3.href, 'string');
    assert.equal((await cloud.get('console.stackato.localhost')).status, 200);
  });

  test('the hosts file has the names of endpoints and apps, beside what was in it', async () => {
    const text = cloud.hostsFile();
    assert.match(text, /^127\.0\.0\.1 localhost$/m);
    assert.match(text, /\bapi\.stackato\.localhost\b/);
    assert.match(text, /\bwelcome\.stackato\.localhost\b/);
  });

  test('a developer pushes an app, and it is served', async () => {
    await ok(cloud.node.stackato(['target', 'http://api.stackato.localhost']));
    const password = { env: { STACKATO_PASSWORD: admin.password } };
    await ok(cloud.node.stackato(['login', admin.email, '--organization', 'acme', '--space', 'dev'], password));
    const cwd = join(SAMPLES, 'static-site');
    await ok(cloud.node.stackato(['push', 'story'], { cwd, timeoutMs: 300_000 }));
    const { body } = await cloud.untilStatus('story.stackato.localhost', 200);
    assert.notEqual(body, '');
  });

  for (const victim of ['controller', 'router', 'dea', 'nats', 'postgresql', 'health_manager']) {
    test(`kill -9 of ${victim}: apps go on being served, and it comes back`, { timeout: 120_000 }, async () => {
      await cloud.untilStatus(WELCOME, 200);
      const before = await pidOf(victim);
      await ok(cloud.node.run(['kill', '-9', String(before)]));
      assert.equal((await cloud.get(WELCOME)).status, 200);
      await ok(cloud.node.kato(['process', 'ready', 'all', '--block', '60']));
      assert.notEqual(await pidOf(victim), before);
      assert.equal((await cloud.get(WELCOME)).status, 200);
    });
  }

  test('a restart of the DEA and the router drops no request', { timeout: 120_000 }, async () => {
    const stop = new AbortController();
    const answers: number[] = [];
    const asking = (async () => {
      while (!stop.signal.aborted) answers.push((await cloud.get(WELCOME)).status);
    })();
    try {
      await ok(cloud.node.kato(['restart', 'dea', 'router']));
    } finally {
      stop.abort();
      await asking;
    }
    assert.ok(answers.length > 5);
    assert.deepEqual([...new Set(answers)], [200]);
  });

  test('a role can be taken away and given back; base and primary can not be taken', { timeout: 120_000 }, async () => {
    await ok(cloud.node.kato(['role', 'remove', 'stager']));
    assert.ok(!(await processes()).some(({ name }) => name === 'stager'));
    await ok(cloud.node.kato(['role', 'add', 'stager']));
    assert.ok((await processes()).find(({ name }) => name === 'stager')?.ready);
    for (const role of ['base', 'primary', 'mysql']) {
      const verb = role === 'mysql' ? 'add' : 'remove';
      const { code, stderr } = await cloud.node.kato(['role', verb, role]);
      assert.equal(code, 1);
      assert.match(stderr, /every node|exactly one primary|not available in this version/);
    }
  });

  test('a setting is changed, kept on the node, and a wrong one refused', async () => {
    await ok(cloud.node.kato(['config', 'set', 'router.pruneS', '90']));
    const endMs = Date.now() + 10_000;
    const kept = () => JSON.parse(readFileSync(join(cloud.node.state, 'cluster.json'), 'utf8')).router?.pruneS;
    while (kept() !== 90 && Date.now() < endMs) await new Promise((done) => setTimeout(done, 50));
    assert.equal(kept(), 90);
    const { code, stderr } = await cloud.node.kato(['config', 'set', 'router.pruneS', 'soon']);
    assert.equal(code, 1);
    assert.match(stderr, /pruneS/);
  });

  test('everything stops, and everything comes back', { timeout: 180_000 }, async () => {
    await ok(cloud.node.kato(['stop']));
    const { stdout } = await cloud.node.run(['ss', '-H', '-l', '-t', '-n']);
    assert.equal(stdout, '');
    const stopped = await cloud.node.kato(['status']);
    assert.equal(stopped.code, 1);
    assert.match(stopped.stdout, /STOPPED[\s\S]*next: kato start/);
    const setUp = ['node', 'setup', 'micro', '--yes'];
    assert.equal((await cloud.node.kato(setUp, { killAt: /Certificates/ })).code, null);
    await ok(cloud.node.kato(['start']));
    await cloud.untilStatus(WELCOME, 200, 60_000);
    await cloud.untilStatus('story.stackato.localhost', 200, 60_000);
    const unfinished = await cloud.node.kato(['status']);
    assert.equal(unfinished.code, 1);
    assert.match(unfinished.stdout, /READY[\s\S]*set-up was not finished; run it again: kato node setup micro/);
    await ok(cloud.node.kato(setUp));
    await ok(cloud.node.kato(['status']));
  });

  test('containers, droplets and databases move to another disk', { timeout: 300_000 }, async () => {
    const disk = join(dirname(cloud.node.state), 'disk');
    mkdirSync(disk);
    for (const [folder, says] of [
      ['/nowhere', /is no folder/],
      [cloud.node.state, /lies in the state folder/],
      ['disk', /no absolute path/],
    ] as const) {
      const { code, stderr } = await cloud.node.kato(['relocate', 'droplets', folder]);
      assert.equal(code, 1);
      assert.match(stderr, says);
    }
    for (const what of ['containers', 'droplets', 'services']) {
      for (const _again of [1, 2]) await ok(cloud.node.kato(['relocate', what, disk]));
    }
    assert.deepEqual(readdirSync(disk).sort(), ['stackato-blobs', 'stackato-postgresql', 'stackato-store.img']);
    await cloud.untilStatus(WELCOME, 200, 60_000);
    await ok(cloud.node.stackato(['restage', 'story'], { timeoutMs: 120_000 }));
    await cloud.untilStatus('story.stackato.localhost', 200, 60_000);
    await ok(cloud.node.kato(['stop']));
    await ok(cloud.node.kato(['start']));
    await cloud.untilStatus('story.stackato.localhost', 200, 60_000);
  });

  test('a node that is not set up says what to run', async () => {
    const state = `${cloud.node.state}-none`;
    const { code, stderr } = await cloud.node.kato(['status'], { env: { STACKATO_STATE: state } });
    assert.equal(code, 1);
    assert.match(stderr, /not set up[\s\S]*kato node setup micro/);
    rmSync(state, { recursive: true, force: true });
  });
});
