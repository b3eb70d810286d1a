import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { deadline, programProcess, readOutput, shellProcess, smallSpec } from '../container.conformance.ts';
import type { ContainerEngine } from '../container.ts';
import { readRecords, startTicksOf } from './record.ts';
import { openTestFence, type TestFence, tracesOf } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';

const readyOf = async ({ layout }: TestFence) => (await readRecords(layout)).filter(({ phase }) => phase === 'ready');
const idOf = async ({ layout }: TestFence, handle: string) =>
  (await readRecords(layout)).find((record) => record.handle === handle)?.id ?? '';
const wasMadeAhead = (id: string) => id.startsWith('_');
const textOf = async (engine: ContainerEngine, handle: string) =>
  (await readOutput(engine, handle)).map(({ text }) => text);

describe('containers made ahead', { skip }, () => {
  test('are taken by those that name their user, are not listed before, and are replaced', async () => {
    await using fence = await openTestFence();
    const { engine } = fence;
    await engine.keepReady(1);
    assert.equal((await readyOf(fence)).length, 1);
    assert.deepEqual([await engine.list(), await engine.sweep()], [[], []]);
    const info = await engine.create(smallSpec('first', { ports: [8080] }));
    assert.ok(wasMadeAhead(await idOf(fence, 'first')));
    assert.deepEqual(
      (await engine.list()).map(({ handle, state, address }) => [handle, state, address]),
      [['first', 'created', info.address]],
    );
    for (const end = deadline(); (await readyOf(fence)).length === 0; ) {
      end.throwIfAborted();
      await systemClock.sleep(20);
    }
    const { user: _, ...nobody } = smallSpec('second');
    await engine.create(nobody);
    assert.equal(await idOf(fence, 'second'), 'second');
    await engine.create(smallSpec('third', { mounts: [{ source: '/tmp', destination: '/mnt', writable: false }] }));
    assert.equal(await idOf(fence, 'third'), 'third');
    await engine.keepReady(0);
    assert.deepEqual(await readyOf(fence), []);
  });

  test('outlast an engine that dies, are adopted by the next, and leave nothing when none are wanted', async () => {
    await using fence = await openTestFence();
    await fence.engine.keepReady(2);
    const before = (await readyOf(fence)).map(({ id }) => id).sort();
    await fence.engine[Symbol.asyncDispose]();
    const next = await fence.reopen();
    await next.keepReady(2);
    assert.deepEqual((await readyOf(fence)).map(({ id }) => id).sort(), before);
    await next.create(smallSpec('kept', { ports: [8080] }));
    await next.start('kept', programProcess('forever'));
    assert.ok(before.includes(await idOf(fence, 'kept')));
    await next[Symbol.asyncDispose]();
    const last = await fence.reopen();
    await last.keepReady(0);
    assert.equal((await last.info('kept')).state, 'running');
    assert.equal((await last.exec('kept', shellProcess('hostname'))).stdout, 'kept\n');
    await last.destroy('kept');
    assert.deepEqual(await tracesOf(fence), []);
  });

  test('that died, or were made with other settings, are not used', async () => {
    await using fence = await openTestFence();
    await fence.engine.keepReady(2);
    const [dead, other] = await readyOf(fence);
    process.kill(dead?.init?.pid ?? 0, 'SIGKILL');
    for (const end = deadline(); (await startTicksOf(dead?.init?.pid ?? 0)) !== undefined; ) {
      end.throwIfAborted();
      await systemClock.sleep(5);
    }
    await fence.engine.create(smallSpec('a'));
    await fence.engine.start('a', programProcess('hundred'));
    assert.equal((await fence.engine.wait('a', deadline())).code, 0);
    assert.equal(await idOf(fence, 'a'), other?.id);
    await fence.engine.keepReady(1);
    const [made] = await readyOf(fence);
    await fence.engine[Symbol.asyncDispose]();
    const next = await fence.reopen({ logBytes: 50_000 });
    await next.keepReady(1);
    const ids = (await readyOf(fence)).map(({ id }) => id);
    assert.equal(ids.length, 1);
    assert.notEqual(ids[0], made?.id);
    await next.keepReady(0);
    await next.destroy('a');
    assert.deepEqual(await tracesOf(fence), []);
  });

  for (const ahead of [0, 1]) {
    test(`the main process gets exactly what it was given (${ahead} made ahead)`, async () => {
      await using fence = await openTestFence();
      const { engine, layout } = fence;
      await engine.keepReady(ahead);
      await engine.create(smallSpec('exact'));
      assert.equal(wasMadeAhead(await idOf(fence, 'exact')), ahead === 1);
      const env = { PATH: '/bin', 'odd-name': "it's", LINES: 'a\nb', EMPTY: '', HOME: '$(id) `id` "x" \\' };
      const print =
        'pwd; tr "\\0" "|" < /proc/$$/environ; echo; for a; do echo "<$a>"; done; cat /etc/hostname; busybox pwd -P';
      const args = ['/bin/sh', '-c', print, 'sh', "a'b", '$HOME', '', '*', 'ü'];
      await engine.start('exact', { args, env, cwd: '/home/vcap', uid: 2000, gid: 2000 });
      assert.equal((await engine.wait('exact', deadline())).code, 0);
      const lines = await textOf(engine, 'exact');
      const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      const printed = lines.slice(1, 3).join('\n').split('|').filter(Boolean);
      assert.deepEqual(printed.filter((each) => !/^(PWD|SHLVL|OLDPWD)=/.test(each)).sort(), settings.sort());
      assert.deepEqual(lines.slice(3), ["<a'b>", '<$HOME>', '<>', '<*>', '<ü>', 'exact', '/home/vcap']);
      assert.doesNotMatch(await readFile(layout.config(await idOf(fence, 'exact')), 'utf8'), /odd-name/);
    });
  }
});
