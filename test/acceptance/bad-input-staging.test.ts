import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { renameInZip, zipOf } from '../../src/controller/testing/zip.ts';
import { Developer } from './developer.ts';
import { MicroCloud } from './micro-cloud.ts';

const STACKATO = fileURLToPath(new URL('../../bin/stackato', import.meta.url));
const PATIENCE_MS = 120_000;
/** Nobody answers there (RFC 5737), and the node drops what is sent to it. */
const SILENT = '198.51.100.9';
const server = 'require("http").createServer((_, answer) => answer.end("well")).listen(process.env.PORT)\n';

/** A size as it stands in the headers of a zip. */
function bytes(size: number): string {
  const field = Buffer.alloc(4);
  field.writeUInt32LE(size);
  return field.toString('latin1');
}

type Push = {
  readonly child: ChildProcess;
  /** Resolves when this was said; rejects when the push ends without saying it. */
  readonly says: (text: string) => Promise<void>;
  readonly ended: Promise<{ code: number | null; said: string }>;
};

describe('bad input to staging and push', () => {
  let cloud: MicroCloud;
  let developer: Developer;
  let folder: string;

  before(async () => {
    cloud = await MicroCloud.open();
    developer = await Developer.logIn(cloud.node);
    folder = developer.folder;
    const rules = `table inet silent { chain f { type filter hook forward priority -300; ip daddr ${SILENT} drop; }; }\n`;
    const { code, stderr } = await cloud.node.run(['nft', '-f', '-'], { input: rules });
    assert.equal(code, 0, stderr);
  });

  after(async () => {
    developer?.[Symbol.dispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  const stackato = (args: readonly string[], cwd?: string) => developer.stackato(args, cwd);
  const ok = (args: readonly string[], cwd?: string) => developer.ok(args, cwd);
  const app = (name: string, files: Readonly<Record<string, string | Buffer>>) => developer.app(name, files);

  /** An app whose build takes this long. */
  const slow = (name: string, seconds: number) =>
    app(name, {
      'package.json': JSON.stringify({
        name,
        scripts: { start: 'node s.js', build: `echo BUILDING; sleep ${seconds}` },
      }),
      's.js': server,
      'manifest.yml': `---\napplications:\n- name: ${name}\n  memory: 64M\n`,
    });

  const plain = (name: string, text: string) =>
    app(name, { 'index.html': text, 'manifest.yml': `---\napplications:\n- name: ${name}\n  memory: 64M\n` });

  /** A push that goes on while the test does something else, in a process group of its own. */
  function begin(cwd: string, ...args: readonly string[]): Push {
    const argv = [`--net=/run/netns/${cloud.node.name}`, '--', STACKATO, 'push', ...args];
    const child = spawn('nsenter', argv, { cwd, env: cloud.node.environment(), detached: true });
    let said = '';
    const waiting = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        for (const look of waiting) look();
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    const ended = new Promise<{ code: number | null; said: string }>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(timer);
        resolve({ code, said });
      });
    });
    const says = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => said.includes(text) && resolve();
        waiting.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended without '${text}':\n${said}`)));
      });
    return { child, says, ended };
  }

  /** What is on the node when nothing is staged. */
  async function isClean(): Promise<void> {
    const left = async () => {
      // A component that was killed may be on its way back still.
      const { code, stdout } = await stackato(['curl', '--fail', '/v3/builds?states=STAGING']);
      if (code !== 0) return [`an API that does not answer: ${stdout}`];
      const builds = JSON.parse(stdout) as { resources: unknown[] };
      const files = ['stager/tasks', 'stager/results', 'scratch/controller'].flatMap((name) =>
        readdirSync(join(cloud.node.state, name)).map((file) => `${name}/${file}`),
      );
      return [...builds.resources.map(() => 'a build in STAGING'), ...files];
    };
    const endMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await left();
      if (found.length === 0) return;
      assert.ok(Date.now() < endMs, `left: ${found.join(', ')}`);
      await new Promise((done) => setTimeout(done, 500));
    }
  }

  const refusals: readonly { name: string; files: Readonly<Record<string, string>>; says: RegExp }[] = [
    { name: 'an empty folder', files: {}, says: /empty|nothing to push/i },
    { name: 'no framework', files: { 'notes.txt': 'x' }, says: /Looked for:[\s\S]*package\.json/ },
    {
      name: 'a memory of 12Q',
      files: { 'index.html': 'x', 'manifest.yml': '---\napplications:\n- name: a\n  memory: 12Q\n' },
      says: /line 4[\s\S]*memory[\s\S]*12Q/,
    },
    {
      name: 'a key that nobody knows',
      files: { 'index.html': 'x', 'manifest.yml': '---\napplications:\n- name: a\n  memroy: 64M\n' },
      says: /line 4[\s\S]*memroy/,
    },
    {
      name: 'a manifest that is no YAML',
      files: { 'index.html': 'x', 'manifest.yml': '---\napplications:\n- name: [a\n  memory: 64M\n' },
      says: /manifest\.yml[\s\S]*line \d/,
    },
  ];
  for (const { name, files, says } of refusals) {
    test(`${name} is refused before anything is sent`, async () => {
      const { code, stderr } = await stackato(['push', 'refused'], app('refused', files));
      assert.notEqual(code, 0);
      assert.match(stderr, says);
      assert.doesNotMatch(await ok(['apps']), /refused/);
    });
  }

  test('bad archives are refused with the entry that is at fault, and a good one is taken', async () => {
    const [large, tiny, most] = [20_000_003, 10, 0xfffffff0];
    const page = { 'index.html': 'x' };
    const zeros = { 'index.html': '\0'.repeat(large), 'b.html': '\0'.repeat(large) };
    const archives: readonly (readonly [string, Buffer, RegExp])[] = [
      ['climbs', renameInZip(await zipOf({ ...page, AAAAAAx: 'x' }), 'AAAAAA', '../../'), /climbs\.zip.*\.\.\/\.\.\/x/],
      ['device', await zipOf({ ...page, dev: { text: '', mode: 0o020666 } }), /'dev' is a device/],
      ['link', await zipOf({ ...page, l: { text: '../../etc', mode: 0o120777 } }), /'l' leads outside/],
      ['text', Buffer.from('no archive at all'), /zip/],
      ['huge', renameInZip(await zipOf(zeros), bytes(large), bytes(most)), /unpacks to more than \d+ MB/],
      ['liar', renameInZip(await zipOf(zeros), bytes(large), bytes(tiny)), /unpacks to more than it declares/],
    ];
    for (const [name, zip, says] of archives) {
      writeFileSync(join(folder, `${name}.zip`), zip);
      const args = ['push', 'archive', '-p', join(folder, `${name}.zip`), '--buildpack', 'staticfile_buildpack'];
      const { code, stderr } = await stackato(args, folder);
      assert.equal(code, 1, name);
      assert.match(stderr, says, name);
    }
    writeFileSync(join(folder, 'good.zip'), await zipOf({ 'index.html': 'good' }));
    await ok(['push', 'archive', '-p', join(folder, 'good.zip'), '-m', '64M'], folder);
    await isClean();
  });

  test('a registry that drops packets is named within half a minute, and the next push works', async () => {
    const cwd = slow('registry', 0);
    writeFileSync(
      join(cwd, 'package.json'),
      '{"name":"registry","dependencies":{"ms":"2.1.3"},"scripts":{"start":"node s.js"}}',
    );
    const startedMs = Date.now();
    const { code, stderr } = await stackato(['push', '--env', `npm_config_registry=http://${SILENT}:4873`], cwd);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`npm registry http://${SILENT}:4873 does not answer.*staging\\.npmRegistry`));
    assert.ok(Date.now() - startedMs < 60_000);
    await isClean();
    await ok(['unset-env', 'registry', 'npm_config_registry']);
    await ok(['push'], cwd);
  });

  test('of two pushes at one moment one is told of the other, and the app runs', async () => {
    await ok(['push'], plain('twice', 'first'));
    const cwd = plain('twice', 'second');
    const both = [begin(cwd), begin(cwd)];
    const ended = await Promise.all(both.map((push) => push.ended));
    for (const { code, said } of ended) {
      if (code !== 0) assert.match(said, /being staged by another push/);
    }
    assert.ok(ended.some(({ code }) => code === 0));
    assert.equal((await cloud.untilStatus('twice.stackato.localhost', 200)).body, 'second');
    await isClean();
  });

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGTERM', 143],
  ] as const) {
    test(`${signal} while staging cancels it, and the next push need not wait`, async () => {
      const push = begin(slow('signalled', 60));
      await push.says('BUILDING');
      push.child.kill(signal);
      const { code, said } = await push.ended;
      assert.equal(code, expected, said);
      assert.match(said, /was cancelled/);
      await isClean();
    });
  }

  test('an app that is deleted while it is staged ends its push with a word about it', async () => {
    const push = begin(slow('leaves', 60));
    await push.says('BUILDING');
    await ok(['delete', 'leaves', '--yes']);
    const { code, said } = await push.ended;
    assert.equal(code, 1, said);
    assert.match(said, /leaves was deleted while it was staged/);
    await isClean();
  });

  for (const victim of ['controller', 'nats', 'postgresql', 'router', 'dea', 'stager']) {
    test(`kill -9 of ${victim} during a push: it goes on or says what failed, and the next works`, async () => {
      const name = `survives-${victim}`;
      const push = begin(slow(name, 5));
      await push.says('BUILDING');
      const list = (await cloud.node.kato(['process', 'list', '--json'])).stdout;
      const pid = (JSON.parse(list) as { name: string; pid: number }[]).find((one) => one.name === victim)?.pid;
      assert.ok(pid);
      process.kill(pid, 'SIGKILL');
      const { code, said } = await push.ended;
      if (code !== 0) {
        assert.match(said, /error: .+\nnext: /, said);
        await cloud.node.kato(['process', 'ready', 'all', '--block', '60']);
        await ok(['push'], slow(name, 0));
      }
      await cloud.untilStatus(`${name}.stackato.localhost`, 200);
      await isClean();
      await ok(['delete', name, '--yes']);
    });
  }
});
