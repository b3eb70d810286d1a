import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../platform/clock.ts';
import { start } from '../../platform/exec.ts';
import { systemRandom } from '../../platform/random.ts';
import { deadline, programProcess, shellProcess, smallSpec } from '../container.conformance.ts';
import { findMonitors } from './monitors.ts';
import { startTicksOf } from './record.ts';
import { openTestFence, type TestFence, tracesOf } from './testing/test-fence.ts';
import { withdrawFence } from './withdraw.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';
const VICTIM = fileURLToPath(new URL('testing/victim.ts', import.meta.url));
const ROUNDS = 6;

/** Lets a process work on the fence and kills it after a while, with no time to say goodbye. */
async function killSomebodyAtWork(fence: TestFence, seed: number, afterMs: number): Promise<void> {
  const { clock: _clock, random: _random, log: _log, ...options } = fence.options;
  const child = start([process.execPath, VICTIM, JSON.stringify(options), String(seed)], {}, [
    'ignore',
    'pipe',
    'inherit',
  ]);
  const closed = once(child, 'close', { signal: deadline(120_000) });
  await once(child.stdout ?? assert.fail('no output'), 'data', { signal: deadline(120_000) });
  await systemClock.sleep(afterMs);
  child.kill('SIGKILL');
  await closed;
}

describe('an engine that is killed', { skip }, () => {
  test('at any moment of creating and destroying leaves nothing that its successor does not know or remove', async () => {
    await using fence = await openTestFence();
    await fence.engine[Symbol.asyncDispose]();
    for (let round = 0; round < ROUNDS; round++) {
      const [seed, afterMs] = [systemRandom.pick(1e6), systemRandom.pick(700)];
      const told = `killed after ${afterMs} ms, seed ${seed}`;
      await killSomebodyAtWork(fence, seed, afterMs);
      const next = await fence.reopen();
      await next.sweep();
      const known = new Set((await next.list()).map(({ handle }) => handle));
      await next.keepReady(1);
      for (const { handle, state } of await next.list()) {
        assert.ok(known.has(handle), `${handle} came from nowhere, ${told}`);
        if (state === 'running') assert.equal((await next.exec(handle, shellProcess('exit 3'))).code, 3, told);
        await next.destroy(handle);
      }
      await next.create(smallSpec('usable'));
      await next.start('usable', programProcess('hundred'));
      assert.equal((await next.wait('usable', deadline())).code, 0, told);
      await next.destroy('usable');
      await next.keepReady(0);
      assert.deepEqual(await tracesOf(fence), [], told);
      assert.deepEqual(await next.sweep(), [], told);
      await next[Symbol.asyncDispose]();
    }
  });

  test('and never comes back: withdrawing takes everything that ran, and the next engine begins anew', async () => {
    await using fence = await openTestFence();
    const { engine, layout, directory, options } = fence;
    await engine.create(smallSpec('ended'));
    await engine.start('ended', programProcess('hundred'));
    await engine.wait('ended', deadline());
    await engine.create(smallSpec('runs', { ports: [8080] }));
    await engine.start('runs', programProcess('forever'));
    await engine.create(smallSpec('orphan'));
    await engine.start('orphan', programProcess('forever'));
    await engine.keepReady(2);
    const pids = (await fence.records()).filter(({ exit }) => !exit).map(({ init }) => init?.pid ?? 0);
    assert.equal(pids.length, 4);
    await engine[Symbol.asyncDispose]();
    process.kill((await findMonitors(layout)).get('orphan') ?? 0, 'SIGKILL');

    await withdrawFence(directory, [options.pool]);
    assert.deepEqual(
      await Promise.all(pids.map(startTicksOf)),
      pids.map(() => undefined),
    );
    assert.deepEqual(await tracesOf(fence), [...[`${layout.containers}/ended`, `${layout.exits}/ended`]]);
    await withdrawFence(directory, [options.pool]);

    const next = await fence.reopen();
    assert.deepEqual(await next.sweep(), []);
    assert.deepEqual(
      (await next.list()).map(({ handle, state }) => `${handle} ${state}`),
      ['ended exited'],
    );
    await next.destroy('ended');
    assert.deepEqual(await tracesOf(fence), []);
  });

  test('leaves a monitor that nobody wrote down to the next sweep', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('lost'));
    await fence.engine.start('lost', programProcess('forever'));
    const record = (await fence.recordOf('lost')) ?? assert.fail('no record');
    await fence.forget('lost');
    const next = await fence.reopen();
    const swept = await next.sweep();
    for (const what of ['monitor lost', 'runtime state lost', 'subvolume containers/test/lost']) {
      assert.ok(swept.includes(what), `${what} in ${swept.join(', ')}`);
    }
    assert.equal(await startTicksOf(record.init?.pid ?? 0), undefined);
    assert.deepEqual(await tracesOf(fence), []);
  });
});
