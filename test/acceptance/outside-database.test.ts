import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exec } from '../../src/platform/exec.ts';
import { postgresqlBinary } from '../../src/platform/postgresql.ts';
import { getUser } from '../../src/platform/system-user.ts';
import { succeeded } from '../lab/cluster.ts';
import { MicroCloud } from './micro-cloud.ts';

const PORT = 5433;
const url = (user: string, password: string, port = PORT) =>
  `postgresql://${user}:${password}@127.0.0.1:${port}/stackato`;

describe('the control database on a server of the operator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outside-'));
  let cloud: MicroCloud;
  let server: { ended: Promise<unknown> };

  before(async () => {
    cloud = await MicroCloud.open({}, ['--no-welcome']);
    server = await startServer();
  });

  after(async () => {
    await cloud?.[Symbol.asyncDispose]();
    await server?.ended;
    rmSync(folder, { recursive: true, force: true });
  });

  /** In the node's network, so that it ends with the node. */
  const startServer = async () => {
    const { uid, gid } = await getUser('postgres');
    chownSync(folder, uid, gid);
    const data = join(folder, 'data');
    const initdb = [postgresqlBinary('initdb'), '-D', data, '-U', 'postgres', '--auth', 'trust', '--no-sync'];
    await exec(initdb, { uid, gid, cwd: '/' });
    writeFileSync(join(data, 'pg_hba.conf'), 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
    const settings = [`port=${PORT}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off'];
    const asUser = ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
    const postgres = [postgresqlBinary('postgres'), '-D', data, ...settings.flatMap((one) => ['-c', one])];
    const ended = cloud.node.run([...asUser, ...postgres], { timeoutMs: 600_000 });
    const sql = "create role operator login createrole createdb password 'sesame'; create role weak login password 'w'";
    const psql = [postgresqlBinary('psql'), '-h', folder, '-p', String(PORT), '-U', 'postgres', '-d', 'postgres'];
    const endMs = Date.now() + 30_000;
    for (;;) {
      const { code } = await exec([...psql, '-c', sql], { okCodes: [0, 1, 2] });
      if (code === 0) return { ended };
      if (Date.now() > endMs) throw new Error('the server did not come up');
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const set = (input: string, killAt?: RegExp) =>
    cloud.node.kato(['config', 'set', 'database.url', '-'], { input, ...(killAt === undefined ? {} : { killAt }) });
  const del = (killAt?: RegExp) =>
    cloud.node.kato(['config', 'del', 'database.url'], killAt === undefined ? {} : { killAt });
  const setting = async () => succeeded(await cloud.node.kato(['config', 'get', 'router.pruneS'])).stdout.trim();
  const ready = async () => succeeded(await cloud.node.kato(['process', 'ready', 'all', '--block', '30']));

  test('a server that is none, shuts the user out, or gives too few rights is refused', async () => {
    for (const [input, why] of [
      ['somewhere', /no URL/],
      [url('operator', 'sesame', 5499), /Connection refused/],
      [url('operator', 'wrong'), /password authentication failed/],
      [url('weak', 'w'), /CREATEROLE/],
    ] as const) {
      const { code, stderr } = await set(input);
      assert.equal(code, 1, stderr);
      assert.match(stderr, why);
    }
    await ready();
  });

  test('the data moves there and back; killed on the way, nothing is lost', { timeout: 300_000 }, async () => {
    succeeded(await cloud.node.kato(['config', 'set', 'router.pruneS', '61']));
    for (const moment of [/copying/, /starting nats/]) {
      assert.equal((await set(url('operator', 'sesame'), moment)).code, null);
      const { code, stdout } = await cloud.node.kato(['inspect', 'data']);
      assert.equal(code, 1);
      assert.match(stdout, /the move of the control database to 127\.0\.0\.1:5433 was cut short/);
    }
    succeeded(await set(url('operator', 'sesame')));
    await ready();
    assert.equal(await setting(), '61');
    const { stdout } = succeeded(await cloud.node.kato(['process', 'list']));
    assert.doesNotMatch(stdout, /postgresql/);
    succeeded(await cloud.node.kato(['data', 'backup']));
    succeeded(await cloud.node.kato(['config', 'set', 'router.pruneS', '62']));
    assert.equal((await del(/copying/)).code, null);
    succeeded(await cloud.node.kato(['start']));
    assert.match(
      (await cloud.node.kato(['config', 'get', 'database.url'])).stdout,
      /^set/,
      'before the switch it stays',
    );
    assert.equal((await del(/starting nats/)).code, null);
    succeeded(await cloud.node.kato(['start']));
    assert.match((await cloud.node.kato(['config', 'get', 'database.url'])).stdout, /^not set/);
    await ready();
    assert.equal(await setting(), '62');
    assert.equal((await cloud.node.kato(['inspect', 'data'])).code, 0);
    assert.equal((await cloud.get('api.stackato.localhost')).status, 200);
  });
});
