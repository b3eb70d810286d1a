import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, systemClock } from './clock.ts';

test('FakeClock fires sleeps and intervals in the order of their times', async () => {
  const clock = new FakeClock(0);
  const trail: string[] = [];
  using _every = clock.every(100, () => trail.push(`every ${clock.nowMs()}`));
  void clock.sleep(150).then(() => trail.push(`sleep ${clock.nowMs()}`));
  await clock.advance(250);
  assert.deepEqual(trail, ['every 100', 'sleep 150', 'every 200']);
  assert.equal(clock.nowMs(), 250);
});

test('FakeClock lets a task that started sleep again within one advance', async () => {
  const clock = new FakeClock(0);
  const times: number[] = [];
  const run = async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10);
      times.push(clock.nowMs());
    }
  };
  void run();
  await clock.advance(100);
  assert.deepEqual(times, [10, 20, 30]);
});

test('a disposed interval fires no more', async () => {
  const clock = new FakeClock(0);
  let count = 0;
  const every = clock.every(10, () => (count += 1));
  await clock.advance(25);
  every[Symbol.dispose]();
  await clock.advance(100);
  assert.equal(count, 2);
});

for (const [name, clock] of [
  ['FakeClock', new FakeClock()],
  ['systemClock', systemClock],
] as const) {
  test(`${name}: an aborted sleep rejects with the reason`, async () => {
    const stop = new AbortController();
    const pending = clock.sleep(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(pending, /enough/);
  });
}
