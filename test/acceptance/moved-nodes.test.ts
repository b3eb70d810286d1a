import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import type { LabNode } from '../lab/node.ts';
import { until } from '../lab/until.ts';

const DOMAIN = 'moved.localhost';
const APP = `static-site.${DOMAIN}`;
const CUT_TIMEOUT_S = 30;
const PATIENCE_MS = 60_000;

/** Names, addresses and secrets of a cluster's nodes change while an app of it runs; each command is killed half-way once. */
describe('a cluster that is renamed, moved and given new secrets', () => {
  let cluster: Cluster;
  let core: LabNode;
  let dea: LabNode;
  before(async () => {
    cluster = await Cluster.open();
    core = cluster.core;
    dea = await cluster.attach('dea', 'stager');
    succeeded(await core.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/static-site', import.meta.url));
    succeeded(await core.stackato(['push'], { cwd, timeoutMs: 300_000 }));
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const answer = async (host: string) => {
    const args = ['-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${host}`, 'http://127.0.0.1/'];
    return (await core.run(['curl', ...args])).stdout;
  };
  const untilAnswers = (what: string) =>
    until(what, PATIENCE_MS, async () => {
      const status = await answer(APP);
      return status === '200' || status;
    });
  const untilReady = () =>
    until('every role is ready', PATIENCE_MS, async () => {
      const { code, stdout, stderr } = await core.kato(['status', '-n', 'all', '--json']);
      return code === 0 || `${stdout}\n${stderr}`;
    });
  const refused = async (node: LabNode, args: string[], why: RegExp) => {
    const { code, stderr } = await node.kato(args);
    assert.equal(code, 1, args.join(' '));
    assert.match(stderr, why);
    assert.match(stderr, /→/, 'it says what to do');
  };

  test('an app goes along to another domain, also when the renaming is killed and told again', async () => {
    await refused(core, ['node', 'rename', 'api.com'], /no host name of an API/);
    await refused(core, ['node', 'rename', core.address], /no host name of an API/);
    await refused(dea, ['node', 'rename', `api.${DOMAIN}`], /on its Core node/);
    await cutOff(core, ['node', 'rename', `api.${DOMAIN}`], join(core.state, 'setup', 'rename.json'));
    await refused(core, ['node', 'rename', 'api.other.localhost'], /was cut short/);
    // As when it was killed while they restarted.
    succeeded(await core.kato(['process', 'stop', 'controller']));
    const { stdout } = succeeded(await core.kato(['node', 'rename', `api.${DOMAIN}`, '--json']));
    const renamed = JSON.parse(stdout);
    assert.deepEqual([renamed.to, renamed.apps, renamed.nodes[0].done], [DOMAIN, 1, true]);
    await untilAnswers('the app at its new address');
    assert.equal(await answer(`static-site.${cluster.domain}`), '404');
    assert.equal(await answer(`api.${DOMAIN}`), '200');
    const script = `echo | openssl s_client -connect 127.0.0.1:443 -servername api.${DOMAIN} 2>/dev/null | openssl x509 -noout -ext subjectAltName`;
    assert.match((await core.run(['sh', '-c', script])).stdout, /DNS:\*\.moved\.localhost/);
    assert.equal(JSON.parse(readFileSync(join(dea.state, 'cluster.json'), 'utf8')).cluster.domain, DOMAIN);
  });

  test('new secrets come without a failed request; old passwords are refused', async () => {
    await refused(dea, ['op', 'regenerate', 'postgresql'], /kept by the Core/);
    await refused(core, ['op', 'regenerate', 'ssh_keys'], /no secret/);
    const passwordOf = (node: LabNode) => credentials(node).bus.password;
    const before = [passwordOf(core), passwordOf(dea)];
    const load = repeat(() => answer(APP));
    await cutOff(core, ['op', 'regenerate', 'all'], join(core.state, 'setup', 'regenerate.pending'));
    succeeded(await core.kato(['op', 'regenerate', 'all'], { timeoutMs: 240_000 }));
    succeeded(await dea.kato(['op', 'regenerate', 'bus', 'ssl_cert'], { timeoutMs: 240_000 }));
    const answers = await load.stop();
    assert.deepEqual([...new Set(answers)], ['200'], `${answers.length} requests`);
    const after = [passwordOf(core), passwordOf(dea)];
    for (const at of [0, 1]) assert.notEqual(before[at], after[at]);
    assert.match(await login(core, after[0] ?? ''), /PONG/);
    assert.match(await login(core, before[0] ?? ''), /Authorization Violation/);
    await untilReady();
  });

  test('the Core moves to an address that nobody knows yet, and its node finds it there', async () => {
    const to = core.address.replace(/\.2$/, '.9');
    await refused(core, ['node', 'migrate', core.address, to], /does not have the address/);
    await readdress(core, to);
    await refused(core, ['node', 'migrate', dea.address, to], /is that of node 1|run it there|is .* not/);
    const moved = await core.kato(['node', 'migrate', core.address, to, '--json']);
    assert.deepEqual([moved.code, JSON.parse(moved.stdout).nodes[0].done], [1, false], 'the node is named');
    assert.equal(await answer(APP), '200', 'apps go on meanwhile');
    await refused(dea, ['node', 'reattach', core.address], /no Core answers/);
    await refused(core, ['node', 'reattach', to], /the Core node itself/);
    succeeded(await dea.kato(['node', 'reattach', to]));
    succeeded(await dea.kato(['node', 'reattach', to]));
    await untilReady();
    assert.equal(await answer(APP), '200');
  });

  test('a node that starts at another address tells the Core by itself', async () => {
    succeeded(await dea.kato(['stop']));
    const to = dea.address.replace(/\.2$/, '.9');
    await readdress(dea, to);
    succeeded(await dea.kato(['start'], { timeoutMs: 240_000 }));
    const listed = async () => succeeded(await core.kato(['node', 'list', '--json'])).stdout;
    await until('the Core knows the address', PATIENCE_MS, async () => (await listed()).includes(`"${to}"`));
    await untilAnswers('the app is routed there');
  });

  test('a wiped node leaves nothing behind, also when the wipe is killed', async () => {
    await refused(dea, ['node', 'reset', 'factory'], /can not be got back/);
    await refused(core, ['node', 'reset', 'factory', '--yes'], /without it those nodes are nothing/);
    await refused(core, ['node', 'setup', 'micro', '--yes'], /Core node of a cluster, with 1 other/);
    // Without base, which keeps the Core's copy of the nodes: it knows at once that it is alone.
    succeeded(await core.kato(['process', 'stop', 'base']));
    await cutOff(dea, ['node', 'reset', 'factory', '--yes'], join(dea.state, 'reset.pending'));
    if (existsSync(dea.state)) {
      if (existsSync(join(dea.state, 'reset.pending')))
        await refused(dea, ['start'], /reset of this machine was cut short/);
      succeeded(await dea.kato(['node', 'reset', 'factory', '--yes']));
    }
    assert.equal(existsSync(dea.state), false);
    const left = await dea.run(['sh', '-c', 'nft list tables; ip -br link | grep -v "^lo\\|^eth0"; ss -Htlnp']);
    assert.equal(left.stdout, '');
    assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(dea.state));
    const { stdout } = succeeded(await core.kato(['node', 'list', '--json']));
    assert.equal(JSON.parse(stdout).length, 1);
  });

  test('a Core alone becomes a micro cloud with its apps, also when that is killed', { timeout: 400_000 }, async () => {
    const setUp = ['node', 'setup', 'micro', '--yes', '--no-welcome'];
    await cutOff(core, setUp, join(core.state, 'setup', 'other-kind'));
    succeeded(await core.kato(setUp, { timeoutMs: 300_000 }));
    await untilAnswers('the app runs there');
    const { stdout } = succeeded(await core.kato(['process', 'list', '--json']));
    assert.doesNotMatch(stdout, /"link"/);
    succeeded(await core.kato(['status']));
  });
});

/** Runs kato and kills it when this file is there, or it has ended. */
async function cutOff(node: LabNode, args: readonly string[], file: string): Promise<void> {
  const script = `"$@" & pid=$!
for i in $(seq ${CUT_TIMEOUT_S * 20}); do [ -e '${file}' ] && break; kill -0 $pid || break; sleep 0.05; done
kill -9 $pid; wait $pid`;
  await node.run(['sh', '-c', script, 'sh', fileURLToPath(new URL('../../bin/kato', import.meta.url)), ...args]);
}

/** Another address in the same network instead of the one it has. */
async function readdress(node: LabNode, to: string): Promise<void> {
  const gateway = node.address.replace(/\.2$/, '.1');
  const script = `ip addr add ${to}/24 dev eth0; ip addr del ${node.address}/24 dev eth0
ip addr add ${to}/24 dev eth0 2>/dev/null; ip route replace default via ${gateway}`;
  succeeded(await node.run(['sh', '-c', script]));
}

function credentials(node: LabNode): { bus: { password: string } } {
  return JSON.parse(readFileSync(join(node.state, 'credentials', 'base.json'), 'utf8'));
}

/** What the bus says to the base role of the Core with this password. */
async function login(node: LabNode, password: string): Promise<string> {
  const hello = JSON.stringify({ user: 'base', pass: password, verbose: false, tls_required: true });
  const script = `
const { connect } = require('node:net');
const tls = require('node:tls');
const plain = connect(4222, '127.0.0.1');
plain.once('data', () => {
  const socket = tls.connect({ socket: plain, rejectUnauthorized: false }, () => socket.write('CONNECT ' + process.argv[1] + '\\r\\nPING\\r\\n'));
  let said = '';
  socket.on('data', (text) => { said += text; if (/PONG|ERR/.test(said)) { console.log(said); process.exit(0); } });
});
setTimeout(() => process.exit(1), 5000);`;
  return (await node.run([process.execPath, '-e', script, hello])).stdout;
}

function repeat<T>(act: () => Promise<T>): { stop: () => Promise<T[]> } {
  const results: T[] = [];
  let isOn = true;
  const running = (async () => {
    while (isOn) results.push(await act());
  })();
  return {
    stop: async () => {
      isOn = false;
      await running;
      return results;
    },
  };
}
