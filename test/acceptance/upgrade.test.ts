import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { platformVersion } from '../../src/contract/version.ts';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import { copyCheckout, type LabNode } from '../lab/node.ts';
import { until } from '../lab/until.ts';

const HOST = 'websocket-chat.stackato.localhost';
const later = (by: number) => platformVersion.replace(/\d+$/, (patch) => String(Number(patch) + by));
const NEWER = later(1);
const UPGRADE_MS = 900_000;

describe('an upgrade of a cluster, node by node', () => {
  let cluster: Cluster;
  let dea: LabNode;
  let archive: string;
  const folder = mkdtempSync(join(tmpdir(), 'upgrade-'));

  before(async () => {
    cluster = await Cluster.make({ core: ['dea', 'stager'], nodes: [['dea']] }, { checkout: true });
    [dea] = cluster.attached as [LabNode];
    const { core } = cluster;
    succeeded(await core.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/websocket-chat', import.meta.url));
    succeeded(await core.stackato(['push', '--instances', '2'], { cwd, timeoutMs: 300_000 }));
    archive = await pack(NEWER);
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.[Symbol.asyncDispose]();
  });

  /** A release of this version, packed by itself. */
  async function pack(version: string, recipe = (text: string) => text): Promise<string> {
    const code = join(folder, version);
    copyCheckout(code);
    rewrite(join(code, 'src/contract/version.ts'), (text) => text.replace(`'${platformVersion}'`, `'${version}'`));
    rewrite(join(code, 'stacks/stackato/recipe.yml'), recipe);
    const path = join(folder, `${version}.tar.gz`);
    const prepare = [join(code, 'bin', 'kato'), 'node', 'upgrade', '--prepare', path];
    succeeded(await cluster.core.run(prepare, { timeoutMs: UPGRADE_MS }));
    rmSync(code, { recursive: true });
    return path;
  }

  const versionOf = async (node: LabNode) => JSON.parse((await node.kato(['version', '--json'])).stdout).version;
  const states = async () => {
    const { stdout } = succeeded(await cluster.core.kato(['node', 'upgrade', '--status', '--json']));
    return JSON.parse(stdout).nodes.map(({ state }: { state: string }) => state);
  };
  const untilReady = () =>
    until('every role is ready', 60_000, async () => {
      const { code, stdout } = await cluster.core.kato(['status', '--all']);
      return code === 0 || stdout;
    });
  const ask = async () => {
    const answer = ['-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${HOST}`];
    return (await cluster.core.run(['curl', ...answer, 'http://127.0.0.1/'])).stdout;
  };

  test('what is no newer release is refused, and nothing changes', async () => {
    const { core } = cluster;
    const note = join(folder, 'note.txt');
    writeFileSync(note, 'no archive');
    for (const [args, says] of [
      [[note], /is no release/],
      [[join(folder, 'nothing')], /is no release/],
      [[], /no release was named/],
      [['--resume'], /no upgrade was begun/],
      [[archive, '--role-order', 'dae'], /no role 'dae'/],
    ] as const) {
      const { code, stderr } = await core.kato(['node', 'upgrade', ...args]);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, says);
    }
    assert.match((await dea.kato(['node', 'upgrade', archive])).stderr, /from its Core node/);
    assert.equal(await versionOf(core), platformVersion);
  });

  test('it stops at the first node that fails, goes on when that is mended, and no request fails', async () => {
    const { core } = cluster;
    const answers: string[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) answers.push(await ask());
    })();
    try {
      // The archive that it fetches finds no folder.
      const obstacle = join(dea.state, 'upgrade');
      writeFileSync(obstacle, '');
      const first = await core.kato(['node', 'upgrade', archive], { timeoutMs: UPGRADE_MS });
      assert.equal(first.code, 1, first.stderr);
      assert.match(first.stderr, /was not upgraded[\s\S]*kato node upgrade --resume/);
      assert.deepEqual(await states(), ['done', 'failed']);
      assert.deepEqual([await versionOf(core), await versionOf(dea)], [NEWER, platformVersion]);
      rmSync(obstacle);
      succeeded(await core.kato(['node', 'upgrade', '--resume'], { timeoutMs: UPGRADE_MS }));
    } finally {
      isOver = true;
      await asking;
    }
    assert.deepEqual(await states(), ['done', 'done']);
    assert.deepEqual([await versionOf(core), await versionOf(dea)], [NEWER, NEWER]);
    assert.deepEqual([...new Set(answers)], ['200'], `${answers.length} requests`);
    await untilReady();
  });

  test('offline, a release with another stack is refused before anything is changed', async () => {
    const { core } = cluster;
    const other = await pack(later(2), (text) => text.replace(/^packages:$/m, 'packages:\n  - no-such-package'));
    const { code, stderr } = await core.kato(['node', 'upgrade', other, '--offline'], { timeoutMs: UPGRADE_MS });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /another stack.*network: \/var\/cache\/stackato\/stacks\/stackato-\w+\.tar is not here/);
    for (const node of [core, dea]) {
      assert.match(stderr, new RegExp(`not every node can be upgraded offline[^]*${node.address}`));
      assert.equal(await versionOf(node), NEWER);
    }
    assert.deepEqual(await states(), ['waiting', 'waiting']);
  });

  test('killed in the middle, on the Core and beside a node that goes on, it is finished by --resume', async () => {
    const { core } = cluster;
    const newest = await pack(later(3));
    const killed = async (args: string[], at: RegExp, everything: boolean) => {
      const run = core.kato(['node', 'upgrade', ...args], { timeoutMs: UPGRADE_MS, killAt: at });
      assert.equal((await run).code, null);
      if (everything) core.killProcesses((commandLine) => commandLine.includes('\0upgrade\0'));
    };
    // The new code is there, and the bus and the database are stopped.
    await killed([newest, '--force', '--offline'], /starting nats/, true);
    assert.equal(await versionOf(core), later(3));
    await killed(['--resume'], new RegExp(`${dea.address}: +stopping base`), false);
    succeeded(await core.kato(['node', 'upgrade', '--resume'], { timeoutMs: UPGRADE_MS }));
    assert.deepEqual(await states(), ['done', 'done']);
    assert.deepEqual([await versionOf(core), await versionOf(dea)], [later(3), later(3)]);
    await untilReady();
    assert.equal(await ask(), '200');
  });
});

/** Its links to other copies stay as they are. */
function rewrite(file: string, change: (text: string) => string): void {
  const text = change(readFileSync(file, 'utf8'));
  rmSync(file);
  writeFileSync(file, text);
}
