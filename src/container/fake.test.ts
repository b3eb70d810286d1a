import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, systemClock } from '../platform/clock.ts';
import { containerConformance, programProcess, programs, smallSpec } from './container.conformance.ts';
import { ContainerError } from './container.ts';
import { FakeEngine, type FakeProcess } from './fake.ts';

const play = (process: FakeProcess) => {
  const command = process.process.args[2];
  Object.values(programs)
    .find((program) => program.shell === command)
    ?.fake(process);
};

containerConformance('fake', async () => {
  const engine = new FakeEngine({
    clock: systemClock,
    stacks: ['tiny'],
    script: play,
    exec: (_handle, _process, input) => ({ code: 4, stdout: input?.toString() ?? '', stderr: 'err\n' }),
  });
  return { engine, reopen: async () => engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
});

test('a script on a fake clock decides when it listens and when it ends', async () => {
  const clock = new FakeClock();
  await using engine = new FakeEngine({
    clock,
    stacks: ['tiny'],
    script: (process) => {
      clock.sleep(500).then(() => process.listen(8080));
      clock.sleep(2000).then(() => process.exit(1, { outOfMemory: true }));
    },
  });
  const { ports } = await engine.create(smallSpec('a', { ports: [8080] }));
  const hostPort = ports[0]?.hostPort ?? 0;
  await engine.start('a', programProcess('forever'));
  assert.equal(engine.isListening(hostPort), false);
  await clock.advance(500);
  assert.equal(engine.isListening(hostPort), true);
  const startedAtMs = clock.nowMs() - 500;
  await clock.advance(1500);
  assert.equal(engine.isListening(hostPort), false);
  assert.deepEqual(await engine.wait('a'), { code: 1, outOfMemory: true, atMs: startedAtMs + 2000 });
});

test('an operation that was told to fail does so once', async () => {
  await using engine = new FakeEngine({ clock: new FakeClock(), stacks: ['tiny'] });
  engine.failNext('create', new ContainerError('disk-full', 'the store is full'));
  await assert.rejects(engine.create(smallSpec('a')), /the store is full/);
  await engine.create(smallSpec('a'));
  assert.deepEqual(
    (await engine.list()).map(({ handle }) => handle),
    ['a'],
  );
});

test('says when no host port is left', async () => {
  await using engine = new FakeEngine({ clock: new FakeClock(), stacks: ['tiny'], hostPorts: { first: 1, last: 2 } });
  await engine.create(smallSpec('a', { ports: [1, 2] }));
  await assert.rejects(engine.create(smallSpec('b', { ports: [1] })), { kind: 'no-free-port' });
});
