import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainCrash, isFull, tellShortage } from './shortage.ts';

const limits = { memoryMb: 96, diskMb: 64, pids: 512 };
const none = { memoryKills: 0, refusedForks: 0, isDiskFull: false };

test('nothing short, nothing said', () => {
  assert.deepEqual([...explainCrash(none, limits), ...tellShortage(none, limits)], []);
});

test('a crash is explained by what was used up, but memory, which has its own words', () => {
  assert.deepEqual(explainCrash({ memoryKills: 2, refusedForks: 9, isDiskFull: true }, limits), [
    ...['its disk of 64M is full', 'it may have no more than 512 processes and threads'],
  ]);
});

test('the owner of a running instance is told each shortage in a line', () => {
  assert.deepEqual(tellShortage({ memoryKills: 1, refusedForks: 9, isDiskFull: true }, limits), [
    'Out of memory: a process of it was killed as it used its 96M',
    'Out of processes: it may have 512 processes and threads, more were refused 9 times',
    'Its disk of 64M is full',
  ]);
  assert.match(tellShortage({ ...none, memoryKills: 3 }, limits).join(), /3 processes of it were killed/);
});

test('a disk is full when the next block need not fit', () => {
  assert.deepEqual(
    [isFull(64 * 1_048_576, 64), isFull(63 * 1_048_576, 64), isFull(60 * 1_048_576, 64)],
    [true, true, false],
  );
});
