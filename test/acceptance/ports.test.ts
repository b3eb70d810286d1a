import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ClusterConfig } from '../../src/contract/config.ts';
import { decode } from '../../src/contract/decode.ts';
import { NodeFile } from '../../src/contract/node.ts';
import { findPortUse, portsOf } from '../../src/core/port-table.ts';
import { parseListener } from '../../src/platform/listeners.ts';
import { MicroCloud } from './micro-cloud.ts';

/** Where something listens that the table knows nothing of. */
const STRAY = 9555;

describe('ports of a node', () => {
  let cloud: MicroCloud;
  before(async () => {
    cloud = await MicroCloud.open();
  });
  after(() => cloud[Symbol.asyncDispose]());

  const programOf = (pid: number) => {
    const [file = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const program = (file.split(' ')[0] ?? '').split('/').at(-1) ?? '';
    return program === 'python3' ? (script.split('/').at(-1) ?? '') : program;
  };
  /** From this machine, which is another one to the node. */
  const answersOutside = (port: number, withinS = 10) => {
    const url = `http://${cloud.node.address}:${port}/`;
    return spawnSync('curl', ['-s', '-m', String(withinS), '-o', '/dev/null', url]).status === 0;
  };
  const isClosed = (port: number) => !answersOutside(port, 2);
  const until = async (holds: () => boolean) => {
    const endMs = Date.now() + 10_000;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error('it never came');
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const instancePort = async () => {
    const { stdout } = await cloud.node.run(['nft', 'list', 'ruleset']);
    return Number(/elements = \{ (\d+) : [\d.]+ \. 8080/.exec(stdout)?.[1]);
  };
  const ok = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await cloud.node.kato(args);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  };

  test('nothing listens beyond the table', async () => {
    const node = decode(NodeFile, JSON.parse(readFileSync(join(cloud.node.state, 'node.json'), 'utf8')), 'node');
    const uses = portsOf(node, decode(ClusterConfig, {}, 'config'));
    const { stdout } = await cloud.node.run(['ss', '-H', '-l', '-t', '-u', '-n', '-p']);
    const listeners = stdout.split('\n').flatMap((line) => parseListener(line) ?? []);
    assert.ok(listeners.length >= 10, stdout);
    const beyond = listeners.filter(
      (one) => findPortUse({ ...one, program: programOf(one.pid) }, uses, node.address) === undefined,
    );
    assert.deepEqual(beyond, []);
  });

  test('instances answer through the router alone, with no firewall either', async () => {
    const port = await instancePort();
    const { code } = await cloud.node.run(['curl', '-s', '-m', '5', `http://${cloud.node.address}:${port}/`]);
    assert.equal(code, 0, 'the instance does not answer the node itself');
    assert.ok(isClosed(port));
    assert.ok(answersOutside(80));
  });

  test('the firewall closes what others have no use for, survives a restart of the node, and goes again', async (context) => {
    const stray = spawn('nsenter', [`--net=/run/netns/${cloud.node.name}`, 'busybox', 'httpd', '-f', '-p', `${STRAY}`]);
    context.after(() => stray.kill());
    await until(() => answersOutside(STRAY));
    await ok(['op', 'firewall', '--open', '8443']);
    const rules = await ok(['op', 'firewall', '--show']);
    await ok(['op', 'firewall']);
    assert.equal(await ok(['op', 'firewall', '--show']), rules, 'saying it twice changed something');
    assert.match(rules, /tcp dport 8443 accept/);
    assert.ok(isClosed(STRAY));
    assert.ok(answersOutside(80));
    await ok(['stop']);
    await cloud.node.run(['nft', 'delete', 'table', 'inet', 'stackato_firewall']);
    await ok(['start']);
    await cloud.untilStatus('welcome.stackato.localhost', 200);
    assert.ok(isClosed(STRAY));
    assert.ok(answersOutside(80));
    await ok(['op', 'firewall', '--off']);
    assert.ok(answersOutside(STRAY));
    assert.doesNotMatch((await cloud.node.run(['nft', 'list', 'tables'])).stdout, /stackato_firewall/);
  });

  test('a port that is none is refused', async () => {
    const { code, stderr } = await cloud.node.kato(['op', 'firewall', '--open', '70000']);
    assert.equal(code, 1);
    assert.match(stderr, /'70000' is no port\n {2}→ for example 8443/);
  });
});
