import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type ContainerEngine, ContainerError, type ContainerSpec, type OutputLine } from './container.ts';
import type { FakeProcess } from './fake-process.ts';

/** An engine with the stack `tiny`, and the means to open it again as a new process would. */
export type EngineUnderTest = {
  readonly engine: ContainerEngine;
  readonly reopen: () => Promise<ContainerEngine>;
} & AsyncDisposable;

/** What the tests run: a shell command for a real container, and the same as a script for the fake. */
export const programs: Readonly<Record<string, { shell: string; fake: (process: FakeProcess) => void }>> = {
  threeLines: {
    shell: 'echo one; echo two >&2; echo three; exit 3',
    fake: (process) => {
      process.print('one');
      process.print('two', 'stderr');
      process.print('three');
      process.exit(3);
    },
  },
  forever: { shell: 'exec sleep 1000', fake: () => {} },
  stubborn: {
    shell: "trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done",
    fake: (process) => {
      process.on('SIGTERM', () => {
        process.print('term');
        process.exit(5);
      });
      process.print('ready');
    },
  },
  hundred: {
    shell: 'i=0; while [ $i -lt 100 ]; do echo line-$i; i=$((i+1)); done',
    fake: (process) => {
      for (let i = 0; i < 100; i++) process.print(`line-${i}`);
      process.exit(0);
    },
  },
};

/** A main process that runs one of the programs. */
export const programProcess = (name: keyof typeof programs) => shellProcess(programs[name]?.shell ?? '');

/** A process of the container's user that runs a shell command. */
export const shellProcess = (command: string, ids: { uid: number; gid: number } = { uid: 2000, gid: 2000 }) => ({
  args: ['/bin/sh', '-c', command],
  env: { PATH: '/usr/bin:/bin' },
  cwd: '/',
  ...ids,
});

/** A small container of the stack `tiny`. */
export const smallSpec = (handle: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  handle,
  root: { stack: 'tiny' },
  limits: { memoryMb: 64, diskMb: 64, pids: 64, fds: 256 },
  ports: [],
  egress: [],
  user: { uid: 2000, gid: 2000 },
  ...more,
});

/** Every line of a container's output until it ends. */
export async function readOutput(engine: ContainerEngine, handle: string): Promise<OutputLine[]> {
  const lines: OutputLine[] = [];
  for await (const batch of engine.output(handle, { signal: deadline() })) lines.push(...batch);
  return lines;
}

/** Fires long after anything here should have happened. */
export const deadline = (ms = 30_000) => AbortSignal.timeout(ms);

const ofKind = (kind: string) => (error: unknown) => error instanceof ContainerError && error.kind === kind;

/** What every ContainerEngine must do. */
export function containerConformance(name: string, open: () => Promise<EngineUnderTest>, skip: string | false = false) {
  const check = (title: string, body: (under: EngineUnderTest) => Promise<void>) =>
    test(title, async () => {
      await using under = await open();
      await body(under);
    });

  describe(`container conformance: ${name}`, { skip }, () => {
    check('runs a process to its end and tells its output and exit code', async ({ engine }) => {
      const info = await engine.create(smallSpec('c1', { labels: { a: 'b' } }));
      assert.equal(info.state, 'created');
      assert.deepEqual(info.labels, { a: 'b' });
      await engine.start('c1', programProcess('threeLines'));
      const exit = await engine.wait('c1', deadline());
      assert.deepEqual({ code: exit.code, outOfMemory: exit.outOfMemory }, { code: 3, outOfMemory: false });
      const lines = await readOutput(engine, 'c1');
      const of = (stream: string) => lines.filter((line) => line.stream === stream).map((line) => line.text);
      assert.deepEqual([of('stdout'), of('stderr')], [['one', 'three'], ['two']]);
      assert.equal((await engine.info('c1')).state, 'exited');
      assert.equal((await engine.info('c1')).exit?.code, 3);
    });

    check('ends by a signal, which the process may handle', async ({ engine }) => {
      await engine.create(smallSpec('killed'));
      await engine.start('killed', programProcess('forever'));
      await engine.signal('killed', 'SIGKILL');
      assert.equal((await engine.wait('killed', deadline())).code, 137);

      await engine.create(smallSpec('handled'));
      await engine.start('handled', programProcess('stubborn'));
      const lines: string[] = [];
      for await (const batch of engine.output('handled', { signal: deadline() })) {
        lines.push(...batch.map((line) => line.text));
        if (lines.includes('ready') && !lines.includes('term')) await engine.signal('handled', 'SIGTERM');
      }
      assert.deepEqual(lines, ['ready', 'term']);
      assert.equal((await engine.wait('handled', deadline())).code, 5);
      await engine.signal('handled', 'SIGTERM');
    });

    check('gives each port a host port of its own', async ({ engine }) => {
      const a = await engine.create(smallSpec('a', { ports: [8080, 8081] }));
      const b = await engine.create(smallSpec('b', { ports: [8080] }));
      const hostPorts = [...a.ports, ...b.ports].map((p) => p.hostPort);
      assert.deepEqual(
        a.ports.map((p) => p.containerPort),
        [8080, 8081],
      );
      assert.equal(new Set(hostPorts).size, 3);
      assert.notEqual(a.address, b.address);
    });

    check('refuses what can not be, by kind', async ({ engine }) => {
      await assert.rejects(engine.create(smallSpec('x', { root: { stack: 'none' } })), ofKind('no-such-stack'));
      await assert.rejects(engine.create(smallSpec('x', { root: { image: 'none' } })), ofKind('not-found'));
      await engine.create(smallSpec('x'));
      await assert.rejects(engine.create(smallSpec('x')), ofKind('already-exists'));
      await assert.rejects(engine.start('y', programProcess('forever')), ofKind('not-found'));
      await assert.rejects(engine.exec('x', programProcess('forever')), ofKind('failed'));
      await assert.rejects(async () => engine.wait('y'), ofKind('not-found'));
      await engine.start('x', programProcess('forever'));
      await assert.rejects(engine.start('x', programProcess('forever')), ofKind('failed'));
      await engine.create(smallSpec('u'));
      await assert.rejects(engine.start('u', shellProcess('true', { uid: 0, gid: 0 })), ofKind('failed'));
    });

    check('destroys, twice if asked, and lets waiters know', async ({ engine }) => {
      await engine.create(smallSpec('d'));
      await engine.start('d', programProcess('forever'));
      const waiting = engine.wait('d', deadline());
      await engine.destroy('d');
      assert.equal((await waiting).code, 137);
      await engine.destroy('d');
      assert.deepEqual(await engine.list(), []);

      await engine.create(smallSpec('never'));
      const inVain = assert.rejects(engine.wait('never', deadline()), ofKind('not-found'));
      await engine.destroy('never');
      await inVain;
    });

    check('stops waiting and reading when the signal fires', async ({ engine }) => {
      await engine.create(smallSpec('w'));
      await engine.start('w', programProcess('forever'));
      const controller = new AbortController();
      const waiting = assert.rejects(engine.wait('w', controller.signal), /enough/);
      const reading = (async () => {
        for await (const batch of engine.output('w', { signal: controller.signal })) assert.fail(`${batch.length}`);
      })();
      controller.abort(new Error('enough'));
      await Promise.all([waiting, reading]);
    });

    check('is found again by a new engine, with its facts, exit and output', async ({ engine, reopen }) => {
      const info = await engine.create(smallSpec('kept', { ports: [8080], labels: { app: 'x' } }));
      await engine.create(smallSpec('ended'));
      await engine.start('kept', programProcess('stubborn'));
      await engine.start('ended', programProcess('hundred'));
      await engine.wait('ended', deadline());
      const again = await reopen();
      const listed = await again.list();
      assert.deepEqual(listed.map((c) => `${c.handle} ${c.state}`).sort(), ['ended exited', 'kept running']);
      const kept = await again.info('kept');
      assert.deepEqual([kept.ports, kept.address, kept.labels], [info.ports, info.address, { app: 'x' }]);
      assert.equal((await again.wait('ended', deadline())).code, 0);
      assert.equal((await readOutput(again, 'ended')).length, 100);
      for await (const batch of again.output('kept', { signal: deadline() })) {
        if (batch.some((line) => line.text === 'ready')) await again.signal('kept', 'SIGTERM');
      }
      assert.equal((await again.wait('kept', deadline())).code, 5);
    });

    check('goes on reading where a cursor says', async ({ engine }) => {
      await engine.create(smallSpec('o'));
      await engine.start('o', programProcess('hundred'));
      await engine.wait('o', deadline());
      const first: string[] = [];
      let cursor: { file: string; offset: number } | undefined;
      for await (const batch of engine.output('o', { signal: deadline(), onCursor: (at) => (cursor = at) })) {
        first.push(...batch.map((line) => line.text));
      }
      assert.deepEqual(
        first,
        Array.from({ length: 100 }, (_, i) => `line-${i}`),
      );
      assert.ok(cursor);
      for await (const batch of engine.output('o', { from: cursor, signal: deadline() })) {
        assert.fail(`read ${batch.length} lines twice`);
      }
    });

    check('fills an image once for simultaneous callers, and not at all when filling fails', async ({ engine }) => {
      let fills = 0;
      const fill = async (root: string) => {
        fills += 1;
        await writeFile(join(root, 'made'), 'by fill');
      };
      const image = { key: 'abc', stack: 'tiny' };
      await Promise.all([engine.prepareImage(image, fill), engine.prepareImage(image, fill)]);
      await engine.prepareImage(image, fill);
      assert.equal(fills, 1);
      assert.deepEqual(await engine.listImages(), ['abc']);
      const broken = engine.prepareImage({ key: 'bad', stack: 'tiny' }, async () => {
        throw new Error('no such droplet');
      });
      await assert.rejects(broken, /no such droplet/);
      assert.equal(await engine.hasImage('bad'), false);

      await engine.create(smallSpec('i', { root: { image: 'abc' } }));
      const root = await engine.rootPath('i');
      assert.equal(await readFile(join(root, 'made'), 'utf8'), 'by fill');
      await writeFile(join(root, 'made'), 'changed');
      await engine.create(smallSpec('j', { root: { image: 'abc' } }));
      assert.equal(await readFile(join(await engine.rootPath('j'), 'made'), 'utf8'), 'by fill');
      await engine.removeImage('abc');
      assert.equal(await engine.hasImage('abc'), false);
      assert.equal(await readFile(join(await engine.rootPath('j'), 'made'), 'utf8'), 'by fill');
    });

    check('runs one more process with input in a running container', async ({ engine }) => {
      await engine.create(smallSpec('e'));
      await engine.start('e', programProcess('forever'));
      const outcome = await engine.exec('e', shellProcess('cat; echo err >&2; exit 4'), { input: Buffer.from('in') });
      assert.deepEqual(outcome, { code: 4, stdout: 'in', stderr: 'err\n' });
    });
  });
}
