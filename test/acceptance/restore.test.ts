import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { succeeded } from '../lab/cluster.ts';
import { admin, MicroCloud } from './micro-cloud.ts';

const PASSPHRASE = 'some words of the operator';
const SERVER = `
require('node:http')
  .createServer((_, response) => response.end('token ' + process.env.TOKEN))
  .listen(process.env.PORT);
`;

describe('a platform is exported, and imported on another machine with another domain', () => {
  const folder = mkdtempSync(join(tmpdir(), 'restore-'));
  const archive = join(folder, 'stackato.age');
  const [from, to] = ['old.localhost', 'new.localhost'];
  const up = new Set<MicroCloud>();
  let old: MicroCloud;
  let fresh: MicroCloud;

  before(async () => {
    old = await open(from);
    fresh = await open(to);
  });

  after(async () => {
    for (const cloud of up) await remove(cloud);
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (domain: string) => {
    const cloud = await MicroCloud.open({ domain }, ['--no-welcome']);
    up.add(cloud);
    return cloud;
  };
  const remove = (cloud: MicroCloud) => {
    up.delete(cloud);
    return cloud[Symbol.asyncDispose]();
  };

  const data = (cloud: MicroCloud, args: readonly string[], killAt?: RegExp) =>
    cloud.node.kato(['data', ...args, '--passphrase-stdin'], {
      ...{ input: PASSPHRASE, timeoutMs: 180_000 },
      ...(killAt === undefined ? {} : { killAt }),
    });
  const logIn = async (cloud: MicroCloud) => {
    succeeded(await cloud.node.stackato(['target', `http://api.${cloud.domain}`]));
    const args = ['login', admin.email, '--organization', 'acme', '--space', 'dev'];
    return cloud.node.stackato(args, { env: { STACKATO_PASSWORD: admin.password } });
  };
  const refused = async (args: readonly string[], why: RegExp) => {
    const { code, stderr } = await data(fresh, args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, why);
    assert.match(stderr, /nothing was changed/);
  };

  test('the export holds an app with its variables, its own domain and its droplet', { timeout: 180_000 }, async () => {
    const app = join(folder, 'app');
    succeeded(await old.node.run(['mkdir', app]));
    writeFileSync(join(app, 'server.js'), SERVER);
    writeFileSync(join(app, 'package.json'), '{"name": "shop", "scripts": {"start": "node server.js"}}');
    succeeded(await logIn(old));
    succeeded(await old.node.stackato(['push', 'shop', '--no-start'], { cwd: app, timeoutMs: 120_000 }));
    succeeded(await old.node.stackato(['set-env', 'shop', 'TOKEN', 's3cr3t']));
    succeeded(await old.node.stackato(['start', 'shop'], { timeoutMs: 120_000 }));
    assert.equal((await old.untilStatus(`shop.${from}`, 200)).body, 'token s3cr3t');
    const [key, certificate] = [join(folder, 'www.key'), join(folder, 'www.pem')];
    const names = ['-subj', '/CN=www.example.com', '-addext', 'subjectAltName=DNS:www.example.com'];
    const files = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate];
    succeeded(await old.node.run(['openssl', 'req', '-x509', '-days', '9', ...files, ...names]));
    succeeded(await old.node.kato(['op', 'custom_ssl_cert', 'install', key, certificate, 'www.example.com']));
    succeeded(await old.node.kato(['license', 'set', '-'], { input: 'organization: Acme' }));
    succeeded(await data(old, ['export', archive]));
    const checked = JSON.parse(succeeded(await data(old, ['check', archive, '--json'])).stdout);
    assert.deepEqual([checked.kind, checked.domain, checked.damaged, checked.missing], ['platform', from, [], []]);
    assert.ok(!readFileSync(archive).includes('s3cr3t'));
  });

  test('an archive that was cut, a file that is none, and a wrong passphrase change nothing', async () => {
    const cut = join(folder, 'cut.age');
    writeFileSync(cut, readFileSync(archive).subarray(0, -1000));
    await refused(['import', cut], /cut or changed/);
    await refused(['import', join(folder, 'app', 'server.js')], /no archive/);
    await refused(['import', archive, '--only', 'droplets'], /control-database/);
    const wrong = await fresh.node.kato(['data', 'import', archive, '--passphrase-stdin'], { input: 'other words' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /passphrase is not the one/);
    assert.equal((await logIn(fresh)).code, 0);
  });

  test('killed while it stores, stops, switches and starts, the same command goes on and kato start finishes it', {
    timeout: 300_000,
  }, async () => {
    for (const moment of [/storing \d+ blobs/, /stopping controller/, /starting nats/, /starting primary/]) {
      const { code } = await data(fresh, ['import', archive, '--force'], moment);
      assert.equal(code, null, `not killed at ${moment}`);
    }
    succeeded(await fresh.node.kato(['start'], { timeoutMs: 180_000 }));
    assert.equal((await fresh.untilStatus(`shop.${to}`, 200)).body, 'token s3cr3t');
    succeeded(await fresh.node.kato(['process', 'ready', 'all', '--block', '30']));
    succeeded(await logIn(fresh));
    const { stdout } = succeeded(await fresh.node.stackato(['restage', 'shop'], { timeoutMs: 120_000 }));
    assert.match(stdout, /1 of 1 running/);
  });

  test('what is there is replaced on demand alone', { timeout: 120_000 }, async () => {
    succeeded(await fresh.node.stackato(['set-env', 'shop', 'TOKEN', 'newer']));
    await refused(['import', archive], /has 1 app and 1 user, which would be replaced/);
    const taken = await data(fresh, ['import', archive, '--force', '--only', 'users', '--json']);
    assert.deepEqual(JSON.parse(succeeded(taken).stdout).parts, ['users']);
    const { stdout } = succeeded(await fresh.node.stackato(['env', 'shop']));
    assert.match(stdout, /TOKEN=newer/);
  });

  test('a machine becomes the one that was lost, with its domain and keys', { timeout: 180_000 }, async () => {
    await remove(old);
    succeeded(await data(fresh, ['restore', archive, '--force']));
    assert.equal((await fresh.untilStatus(`shop.${from}`, 200, 60_000)).body, 'token s3cr3t');
    const { stdout } = succeeded(await fresh.node.kato(['info', '--json']));
    const { api, license } = JSON.parse(stdout);
    assert.deepEqual([api, license], [`http://api.${from}`, { organization: 'Acme' }]);
    const installed = succeeded(await fresh.node.kato(['op', 'custom_ssl_cert', 'list', '--json']));
    assert.deepEqual(JSON.parse(installed.stdout)[0]?.domain, 'www.example.com');
  });
});
