import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashesToRemove, type KeptCrash } from './crash-retention.ts';

const policy = { keptMs: 3_600_000, budgetBytes: 100 };
const now = 10_000_000;
const crash = (instance: string, index: number, agoMs: number, diskBytes = 10): KeptCrash => ({
  instance,
  droplet: 'd',
  index,
  crashedAtMs: now - agoMs,
  diskBytes,
});
const removed = (kept: readonly KeptCrash[]) => crashesToRemove(kept, now, policy).map(({ instance }) => instance);

test('the newest crash of each index is kept', () => {
  assert.deepEqual(removed([crash('old', 0, 9), crash('new', 0, 1), crash('other', 1, 50)]), ['old']);
});

test('for an hour', () => {
  assert.deepEqual(removed([crash('a', 0, 3_599_999), crash('b', 1, 3_600_000)]), ['b']);
});

test('within the budget, the oldest go first', () => {
  assert.deepEqual(removed([crash('a', 0, 3, 60), crash('b', 1, 2, 30), crash('c', 2, 1, 30)]), ['a']);
});

test('a removal says why', () => {
  assert.deepEqual(crashesToRemove([crash('a', 0, 1, 101)], now, policy), [
    { instance: 'a', because: 'the disk budget of crashed containers is used up' },
  ]);
});
