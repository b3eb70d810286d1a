import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ClusterConfig } from '../../src/contract/config.ts';
import { decode } from '../../src/contract/decode.ts';
import { Developer } from './developer.ts';
import { MicroCloud } from './micro-cloud.ts';

const STACKATO = fileURLToPath(new URL('../../bin/stackato', import.meta.url));
/** Large enough for set-up, so that little is left to fill. */
const DISK = '9G';
const UNTIL_MS = 120_000;
const listen = (port: string) => `require('http').createServer((_, a) => a.end('well')).listen(${port})\n`;
const domain = 'stackato.localhost';

describe('bad input to running apps', () => {
  let cloud: MicroCloud;
  let developer: Developer;

  before(async () => {
    cloud = await MicroCloud.open({ disk: DISK });
    developer = await Developer.logIn(cloud.node);
    await developer.ok(['push'], app('good', listen('process.env.PORT')));
  });
  after(async () => {
    developer?.[Symbol.dispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  function app(name: string, source: string, keys: Readonly<Record<string, string>> = {}): string {
    const manifest = Object.entries({ memory: '64M', disk_quota: '64M', ...keys });
    return developer.app(name, {
      'package.json': JSON.stringify({ name, scripts: { start: 'node s.js' } }),
      's.js': source,
      'manifest.yml': `---\napplications:\n- name: ${name}\n${manifest.map(([key, value]) => `  ${key}: ${value}\n`).join('')}`,
    });
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const endMs = Date.now() + UNTIL_MS; !(await holds()); ) {
      assert.ok(Date.now() < endMs, `not within ${UNTIL_MS} ms: ${what}`);
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  /** Asks an app all the while; gives the answers that were not the right ones. */
  async function wrongAnswers(name: string, meanwhile: () => Promise<void>): Promise<unknown[]> {
    const wrong: unknown[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        const answer = await cloud.get(`${name}.${domain}`);
        if (answer.status !== 200 || answer.body !== 'well') wrong.push(answer);
      }
    })();
    await meanwhile().finally(() => {
      isOver = true;
    });
    await asking;
    return wrong;
  }

  const mistakes: readonly { name: string; source: string; says: RegExp; keys?: Record<string, string> }[] = [
    {
      name: 'exits-at-once',
      source: 'console.error("no such table: cats"); process.exit(3)',
      says: /status 3[\s\S]*no such table: cats|no such table: cats[\s\S]*status 3/,
    },
    {
      name: 'never-listens',
      source: 'setInterval(() => {}, 1e6)',
      says: /port 8080[\s\S]*variable PORT/,
      keys: { timeout: '5' },
    },
    {
      name: 'wrong-port',
      source: listen('9999'),
      says: /port 8080[\s\S]*9999[\s\S]*variable PORT/,
      keys: { timeout: '5' },
    },
    {
      name: 'eats-memory',
      // In one piece: between small ones it would be without its own code again and again, up to the limit of its health check.
      source: 'Buffer.alloc(1e9, 1)',
      says: /out of memory[\s\S]*scale eats-memory -m 128M/i,
    },
    {
      name: 'eats-disk',
      source: 'const fs = require("fs"); for (;;) fs.appendFileSync("big", Buffer.alloc(1e6, 1))',
      says: /disk of 64M is full[\s\S]*scale eats-disk -d 128M/,
    },
    {
      name: 'forks',
      source: 'const f = () => { require("child_process").spawn("node", ["s.js"]).on("error", f); f() }; f()',
      says: /forks did not start: /,
      // It never ends by itself, and is stopped with its children.
      keys: { timeout: '15' },
    },
  ];

  test('apps that fail in each way say why and what to do, and their neighbour answers all the while', async () => {
    const wrong = await wrongAnswers('good', async () => {
      for (const { name, source, says, keys } of mistakes) {
        const { code, stderr, stdout } = await developer.stackato(['push'], app(name, source, keys));
        assert.equal(code, 1, name);
        assert.match(`${stdout}\n${stderr}`, says);
        assert.match(stderr, /\nnext: /);
        await developer.ok(['delete', name, '--yes']);
      }
    });
    assert.deepEqual(wrong, []);
  });

  test('an app that is mended runs at the next push', async () => {
    assert.equal((await developer.stackato(['push'], app('mended', 'process.exit(1)'))).code, 1);
    await developer.ok(['push'], app('mended', listen('process.env.PORT')));
    assert.equal((await cloud.untilStatus(`mended.${domain}`, 200)).body, 'well');
    await developer.ok(['delete', 'mended', '--yes']);
  });

  test('a quota is named with its numbers, and what ran runs on', async () => {
    const curl = async (...args: string[]) => JSON.parse(await developer.ok(['curl', '--fail', ...args]));
    const body = JSON.stringify({ name: 'narrow', apps: { total_memory_in_mb: 200 } });
    const quota = await curl('-X', 'POST', '/v3/organization_quotas', '-d', body);
    const [organization] = (await curl('/v3/organizations?names=acme')).resources;
    const share = async (guid: string) => {
      const data = JSON.stringify({ data: [{ guid: organization.guid }] });
      await curl('-X', 'POST', `/v3/organization_quotas/${guid}/relationships/organizations`, '-d', data);
    };
    await share(quota.guid);
    const { code, stderr } = await developer.stackato(['scale', 'good', '-i', '9']);
    assert.equal(code, 1);
    assert.match(stderr, /200M?B?/);
    assert.match(await developer.ok(['apps']), /good\s+started\s+web:1\/1/);
    const pushed = await developer.stackato(['push'], app('too-large', listen('process.env.PORT'), { memory: '500M' }));
    assert.equal(pushed.code, 1);
    assert.match(pushed.stderr, /memory/);
    await share(organization.relationships.quota.data.guid);
    await developer.ok(['delete', 'too-large', '--yes']);
  });

  test('lines without end and of any bytes harm neither the log nor its reader, who sees every new instance', async () => {
    const source = `const say = (bytes) => { for (let at = 0; at < bytes.length; ) try { at += require('fs').writeSync(1, bytes, at) } catch (error) { if (error.code !== 'EAGAIN') throw error } };
      require('http').createServer((q, a) => {
        if (q.url === '/long') say(Buffer.alloc(10 * 1024 * 1024, 'x'));
        if (q.url === '/bytes') say(Buffer.from([0, 255, 254, 27, 91, 50, 74, 7]));
        if (q.url === '/die') process.exit(7);
        say(Buffer.from('\\nafter ' + q.url + '\\n'));
        a.end('well');
      }).listen(process.env.PORT, () => say(Buffer.from('up\\n')));`;
    await developer.ok(['push'], app('talks', source));
    const reader = spawn(
      'nsenter',
      [`--net=/run/netns/${cloud.node.name}`, '--', STACKATO, 'logs', 'talks', '--follow'],
      {
        env: cloud.node.environment(),
      },
    );
    let heard = '';
    reader.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    const hears = (what: RegExp, times = 1) =>
      until(`${times} times ${what}`, async () => (heard.match(new RegExp(what, 'gm')) ?? []).length >= times);
    try {
      await hears(/\] up$/);
      for (const path of ['/long', '/bytes']) {
        assert.equal((await cloud.get(`talks.${domain}`, path)).status, 200);
        await hears(new RegExp(`after ${path}`));
      }
      await cloud.get(`talks.${domain}`, '/die');
      await hears(/\] up$/, 2);
      await developer.ok(['restart', 'talks']);
      await hears(/\] up$/, 3);
      assert.ok(!heard.includes('\0') && !heard.includes('\u001b') && !heard.includes('\u0007'));
      assert.equal((heard.match(/x/g) ?? []).length >= 10 * 1024 * 1024, true);
      assert.ok(Math.max(...heard.split('\n').map((line) => line.length)) < 100_000);
    } finally {
      reader.kill();
      await new Promise((done) => reader.on('close', done));
    }
    await developer.ok(['delete', 'talks', '--yes']);
  });

  test('fifty instances come and go, and leave nothing', async () => {
    const pools = join(cloud.node.state, 'fence', 'pools', 'dea', 'containers');
    const running = async () => (await developer.ok(['apps'])).match(/good\s+started\s+web:(\S+)/)?.[1];
    await developer.ok(['scale', 'good', '-d', '32M']);
    await until('one instance of the new size', async () => (await running()) === '1/1');
    // What is made ahead comes back half a second after it was used; until then there is less than what is left at the end.
    const { preallocated } = decode(ClusterConfig, {}, 'config').dea;
    const isWhole = () => {
      const phases = readdirSync(pools).map((id) => phaseOf(join(pools, id, 'record.json')));
      const ready = phases.filter((phase) => phase === 'ready').length;
      return ready === preallocated && phases.every((phase) => phase === 'ready' || phase === 'started');
    };
    await until('what is made ahead', async () => isWhole());
    const before = { mounts: mountsIn(cloud.node.state), containers: readdirSync(pools).length };
    await developer.ok(['scale', 'good', '-i', '50']);
    await until('fifty run', async () => (await running()) === '50/50');
    await developer.ok(['scale', 'good', '-i', '1']);
    await until('what was before', async () => {
      const now = { mounts: mountsIn(cloud.node.state), containers: readdirSync(pools).length };
      return now.containers <= before.containers && now.mounts <= before.mounts;
    });
    assert.equal(await running(), '1/1');
  });

  test('a full disk: apps answer, pushes say so, and once there is room the next push works', async () => {
    const fill = join(cloud.node.state, 'fill');
    const random = { 'package.json': '{"scripts":{"start":"node s.js","build":"head -c 60M /dev/urandom > big"}}' };
    const cwd = developer.app('full', {
      ...random,
      's.js': listen('process.env.PORT'),
      'manifest.yml': '---\napplications:\n- name: full\n  memory: 64M\n  disk_quota: 128M\n',
    });
    const wrong = await wrongAnswers('good', async () => {
      // All but a little: the package is taken, the droplet is not.
      await fillDisk(fill, 20_000_000);
      const staged = await developer.stackato(['push'], cwd);
      assert.equal(staged.code, 1);
      assert.match(staged.stderr, /disk is full[\s\S]*ask an administrator/);
      await fillDisk(`${fill}-rest`, 0);
      const refused = await developer.stackato(['push'], cwd);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /error: .*(disk|database)/);
      assert.equal((await stat(fill)).size > 0, true);
      await Promise.all([fill, `${fill}-rest`].map((path) => rm(path)));
      await until('the platform is whole', async () => (await cloud.node.kato(['status'])).code === 0);
      await developer.ok(['push'], cwd);
    });
    assert.deepEqual(wrong, []);
    assert.equal((await cloud.untilStatus(`full.${domain}`, 200)).body, 'well');
  });

  /** Leaves this much of the node's disk, or nothing at all. */
  async function fillDisk(path: string, leaveBytes: number): Promise<void> {
    if (leaveBytes === 0) {
      await cloud.node.run(['dd', 'if=/dev/zero', `of=${path}`, 'bs=4K']);
      return;
    }
    const { stdout } = await cloud.node.run(['df', '--output=avail', '--block-size=1', cloud.node.state]);
    const length = Number(stdout.split('\n')[1]) - leaveBytes;
    const { code, stderr } = await cloud.node.run(['fallocate', '--length', String(length), path]);
    assert.equal(code, 0, stderr);
  }
});

/** How far the making of a container is, as its record tells. */
function phaseOf(record: string): string {
  try {
    return JSON.parse(readFileSync(record, 'utf8')).phase;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'none';
    throw error;
  }
}

function mountsIn(folder: string): number {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder)).length;
}
