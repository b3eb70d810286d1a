import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LabNode } from '../lab/node.ts';

describe('set-up refuses', () => {
  let node: LabNode;
  before(() => {
    node = LabNode.create();
  });
  after(() => node.remove());

  const refusal = async (args: readonly string[], input = '') => {
    const { code, stdout, stderr } = await node.kato(['node', 'setup', 'micro', '--yes', ...args], { input });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    return stderr;
  };

  test('a port that is taken, naming the program that has it and what to do', { timeout: 60_000 }, async () => {
    const code = "require('net').createServer().listen(80, () => console.log('listening'))";
    const holder = spawn('nsenter', [`--net=/run/netns/${node.name}`, '--', process.execPath, '-e', code]);
    try {
      await once(holder.stdout, 'data');
      const said = await refusal([]);
      assert.match(said, /port 80 is taken by node \(pid \d+\)/);
      assert.match(said, /→ stop what has it: .*kill \d+/);
      assert.equal(existsSync(`${node.state}/node.json`), false, 'nothing was set up');
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  });

  test('a domain or an address that is none, and an empty password', async () => {
    assert.match(await refusal(['--domain', 'not a domain']), /'not a domain' is no domain/);
    assert.match(await refusal(['--domain', 'localhost']), /is no domain/);
    assert.match(await refusal(['--email', 'nobody']), /'nobody' is no e-mail address/);
    assert.match(await refusal(['--password-stdin']), /standard input is empty/);
    assert.match(await refusal(['--password-stdin'], 'short\n'), /at least 8 characters/);
    assert.match(await refusal(['--org', ' ']), /no name for an organization/);
    assert.equal(existsSync(`${node.state}/node.json`), false, 'nothing was set up');
  });

  test('a second set-up while one is running, but not after that one was killed', async () => {
    const running = spawn(process.execPath, ['-e', "console.log('up'); setInterval(() => {}, 1000)", 'setup', 'micro']);
    const claim = join(node.state, 'setup', 'running.pid');
    try {
      await once(running.stdout, 'data');
      mkdirSync(join(node.state, 'setup'), { recursive: true });
      writeFileSync(claim, String(running.pid));
      assert.match(
        await refusal(['mysql']),
        new RegExp(`another set-up of this node is running \\(pid ${running.pid}\\)`),
      );
    } finally {
      running.kill('SIGKILL');
      await once(running, 'exit');
    }
    assert.match(await refusal(['mysql']), /mysql: not available/);
  });

  test('roles that this version has not got', async () => {
    assert.match(await refusal(['mysql']), /mysql: not available in this version/);
    assert.match(await refusal(['dae']), /there is no role 'dae'/);
  });

  test('a disk that is too small', async () => {
    const small = mkdtempSync(join(tmpdir(), 'small-'));
    await node.run(['mount', '-t', 'tmpfs', '-o', 'size=100m', 'small', small]);
    try {
      const env = { STACKATO_STATE: join(small, 'state') };
      const { code, stderr } = await node.kato(['node', 'setup', 'micro', '--yes'], { env });
      assert.equal(code, 1);
      assert.match(stderr, /small-\S+ has 100 MB free; a node .*needs \d+[\s\S]*→ .*STACKATO_STATE/);
    } finally {
      await node.run(['umount', small]);
      rmSync(small, { recursive: true, force: true });
    }
  });

  test('anybody but root', async (context) => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
    const look = await node.run([...nobody, 'cat', join(import.meta.dirname, 'micro-cloud.ts')]);
    if (look.code !== 0) return context.skip('this checkout can not be read by other accounts');
    const { code, stderr } = await node.run([...nobody, 'bin/kato', 'node', 'setup', 'micro', '--yes']);
    assert.equal(code, 1);
    assert.match(stderr, /needs root[\s\S]*sudo/);
  });

  test('wrong use, with another exit code', async () => {
    const { code, stderr } = await node.kato(['node', 'setup', 'micro', '--nonsense']);
    assert.equal(code, 2);
    assert.match(stderr, /unknown option/);
  });
});
