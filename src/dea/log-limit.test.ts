import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLimit } from './log-limit.ts';

const lines = (count: number, text = 'x') => Array.from({ length: count }, () => ({ text }));

test('a burst of five seconds passes, then lines are dropped, which is said once and counted', () => {
  const limit = new LogLimit({ linesPerS: 10, bytesPerS: -1 }, 0);
  const first = limit.pass(lines(60), 0);
  assert.equal(first.passed.length, 50);
  assert.deepEqual(first.notices, ['app instance exceeded log rate limit (10 lines/sec)']);
  assert.deepEqual(limit.pass(lines(5), 0), { passed: [], notices: [] });
  const later = limit.pass(lines(1), 1000);
  assert.equal(later.passed.length, 1);
  assert.deepEqual(later.notices, ['15 log lines of this instance were dropped']);
});

test('a limit in bytes', () => {
  const limit = new LogLimit({ linesPerS: 1000, bytesPerS: 1024 }, 0);
  const { passed, notices } = limit.pass(lines(3, 'a'.repeat(500)), 0);
  assert.equal(passed.length, 2);
  assert.deepEqual(notices, ['app instance exceeded log rate limit (1024 bytes/sec)']);
});

test('a limit of zero bytes lets nothing through', () => {
  assert.equal(new LogLimit({ linesPerS: 10, bytesPerS: 0 }, 0).pass(lines(1), 60_000).passed.length, 0);
});
