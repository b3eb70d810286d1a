import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterFailure, type LoginFailures, lockedForMs } from './lockout.ts';

const policy = { failures: 3, lockoutMs: 1000 };

test('a name is locked after the allowed failures and only for the set time', () => {
  let failures: LoginFailures | undefined;
  for (const nowMs of [0, 10, 20]) {
    assert.equal(lockedForMs(failures, policy, nowMs), 0);
    failures = afterFailure(failures, policy, nowMs);
  }
  assert.equal(lockedForMs(failures, policy, 20), 1000);
  assert.equal(lockedForMs(failures, policy, 1019), 1);
  assert.equal(lockedForMs(failures, policy, 1020), 0);
});

test('old failures are forgotten', () => {
  const old = { count: 2, lastAtMs: 0 };
  assert.deepEqual(afterFailure(old, policy, 1000), { count: 1, lastAtMs: 1000 });
  assert.deepEqual(afterFailure(old, policy, 999), { count: 3, lastAtMs: 999 });
});

test('never more guesses in one lock period than the policy allows', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), (gaps) => {
      let nowMs = 0;
      let failures: LoginFailures | undefined;
      const guesses: number[] = [];
      for (const gap of gaps) {
        nowMs += gap;
        if (lockedForMs(failures, policy, nowMs) > 0) continue;
        guesses.push(nowMs);
        failures = afterFailure(failures, policy, nowMs);
      }
      return guesses.every(
        (at) => guesses.filter((g) => g >= at && g < at + policy.lockoutMs).length <= policy.failures,
      );
    }),
  );
});
