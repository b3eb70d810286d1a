import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LabNode, type Outcome } from '../lab/node.ts';
import { admin } from './micro-cloud.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SETUP_TIMEOUT_MS = 1_200_000;

describe('a checkout below a folder that is closed to others', () => {
  let node: LabNode;
  let folder: string;
  let checkout: string;

  before(async () => {
    node = LabNode.create();
    folder = join(node.state, '..', 'closed');
    checkout = join(folder, 'checkout');
    mkdirSync(checkout, { recursive: true });
    chmodSync(folder, 0o700);
    await ok(node.run(['mount', '--bind', ROOT, checkout]));
    const options = { input: admin.password, timeoutMs: SETUP_TIMEOUT_MS };
    await ok(kato(['node', 'setup', 'micro', '--yes', '--password-stdin', '--no-welcome'], options));
  });

  after(async () => {
    await kato(['stop']);
    await node.run(['umount', '--lazy', checkout]);
    rmSync(folder, { recursive: true });
    await node.remove();
  });

  const kato = (args: readonly string[], options = {}) => node.run([join(checkout, 'bin', 'kato'), ...args], options);
  const mounts = () =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(node.state));
  const ok = async (outcome: Promise<Outcome>) => {
    const { code, stdout, stderr } = await outcome;
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  };

  /** What runs on the node, by the account that it runs as. */
  const processes = async () => {
    const pids = (await ok(node.run(['ip', 'netns', 'pids', node.name]))).split('\n').filter(Boolean);
    const rows = await ok(node.run(['ps', '-o', 'user:32=,args:1000=', '-p', pids.join(',')]));
    return rows.split('\n').flatMap((row) => {
      const [account = '', file = '', ...args] = row.trim().split(/\s+/);
      const name = file.endsWith('/node') ? (args.at(-1) ?? '') : row.includes('supervisord') ? 'supervisord' : file;
      const isOurs = row.includes('main.ts') && !row.includes(' kato ');
      return isOurs || /supervisord|nats-server|haproxy/.test(row) ? [`${account} ${name.split('/').at(-1)}`] : [];
    });
  };

  test('only what steers containers, ports below 1024 and other processes is run by root', async () => {
    const found = await processes();
    // A process that starts another is there twice for a moment.
    const byRoot = [...new Set(found.filter((one) => one.startsWith('root ')))].sort();
    assert.deepEqual(byRoot, ['root dea', 'root router', 'root stager+base', 'root supervisord']);
    for (const name of ['nats-server', 'primary+health_manager', 'controller+aok+logyard']) {
      assert.ok(found.includes(`stackato ${name}`), `${name} in ${found.join(', ')}`);
    }
    const shown = mounts().find((line) => line.includes('/run/code/checkout'));
    assert.match(shown ?? '', / ro,/);
  });

  test('the console is served from there', async () => {
    const url = 'http://127.0.0.1/';
    const status = await ok(
      node.run(['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: console.stackato.localhost', url]),
    );
    assert.equal(status, '200');
  });

  test('a node whose supervisord was killed is taken over by setting up again', async () => {
    const pid = Number(readFileSync(join(node.state, 'supervisor', 'supervisord.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    const left = await kato(['status']);
    assert.match(left.stdout, /ORPHANED/);
    assert.doesNotMatch(left.stdout, /nothing of the platform runs/);
    await ok(kato(['node', 'setup', 'micro', '--yes', '--no-welcome'], { timeoutMs: SETUP_TIMEOUT_MS }));
    await ok(kato(['status']));
    assert.ok((await processes()).includes('stackato controller+aok+logyard'));
  });

  test('another address for the administrator is refused, naming the first one', async () => {
    const { code, stderr } = await kato(['node', 'setup', 'micro', '--yes', '--email', 'you@example.com']);
    assert.equal(code, 1);
    assert.match(stderr, /set up with --email admin@stackato\.localhost, .*→ leave --email out/s);
  });

  test('stopping leaves no mount', async () => {
    await ok(kato(['stop']));
    assert.deepEqual(mounts(), []);
  });
});
