import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './router-check.ts';

const after = (...answers: (string | undefined)[]) =>
  answers.reduce(
    (before, problem) => judge(before, problem === undefined ? {} : { problem }),
    undefined as ReturnType<typeof judge> | undefined,
  );

test('one good answer brings a router in, two bad ones in a row take it out', () => {
  assert.equal(after(undefined)?.isUp, true);
  assert.equal(after(undefined, 'refused')?.isUp, true);
  assert.equal(after(undefined, 'refused', undefined, 'refused')?.isUp, true);
  assert.deepEqual(after(undefined, 'refused', 'silent'), { isUp: false, isBehind: false, strikes: 2, why: 'silent' });
  assert.equal(after(undefined, 'refused', 'refused', undefined)?.isUp, true);
});

test('a router that never answered well is not in', () => {
  assert.equal(after('refused')?.isUp, false);
});
