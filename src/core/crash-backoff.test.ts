import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CrashPolicy, countCrash, crashDelayMs, isFlapping } from './crash-backoff.ts';

const policy: CrashPolicy = { freeCrashes: 3, firstDelayMs: 30_000, maxDelayMs: 960_000, resetAfterMs: 300_000 };

test('the delays are those of the field: three at once, then 30 s doubling to 16 min', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5000].map((count) => crashDelayMs(count, policy) / 1000);
  assert.deepEqual(delays, [0, 0, 0, 30, 60, 120, 240, 480, 960, 960, 960]);
});

test('a delay never shrinks with more crashes and never passes the cap', () => {
  fc.assert(
    fc.property(fc.nat(5000), (count) => {
      const [now, next] = [crashDelayMs(count, policy), crashDelayMs(count + 1, policy)];
      assert.ok(now <= next && next <= policy.maxDelayMs);
    }),
  );
});

test('the same crash told twice counts once', () => {
  const once = countCrash(undefined, { instance: 'i1', atMs: 5, upMs: 0 }, policy);
  assert.deepEqual(countCrash(once, { instance: 'i1', atMs: 9, upMs: 0 }, policy), once);
});

test('an instance that was up long enough starts a new count', () => {
  const four = { count: 4, lastAtMs: 0, instance: 'old' };
  assert.equal(countCrash(four, { instance: 'i', atMs: 1, upMs: 299_999 }, policy).count, 5);
  assert.equal(countCrash(four, { instance: 'i', atMs: 1, upMs: 300_000 }, policy).count, 1);
});

test('flapping begins after the free crashes', () => {
  assert.equal(isFlapping({ count: 3, lastAtMs: 0, instance: 'i' }, policy), false);
  assert.equal(isFlapping({ count: 4, lastAtMs: 0, instance: 'i' }, policy), true);
});
