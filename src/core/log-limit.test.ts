import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLimit } from './log-limit.ts';

const lines = (count: number, text = 'x') => Array.from({ length: count }, () => ({ text }));
const wide = { linesPerS: 1000, platformBytesPerS: 1_000_000, bytesPerS: -1 };

test('a burst of five seconds passes, then lines are dropped, which is said once and counted', () => {
  const limit = new LogLimit({ ...wide, linesPerS: 10 }, 0);
  const first = limit.pass(lines(60), 0);
  assert.equal(first.passed.length, 50);
  assert.equal(first.notice, 'app instance exceeded log rate limit (10 lines/sec)');
  assert.deepEqual(limit.pass(lines(5), 0), { passed: [], notice: undefined });
  assert.equal(limit.tell(), 'dropped 15 log lines (15B) of this instance');
});

test('what drips through between drops is no end of the excess', () => {
  const limit = new LogLimit({ ...wide, linesPerS: 10 }, 0);
  const notices: (string | undefined)[] = [];
  for (let ms = 0; ms < 3000; ms += 10) notices.push(limit.pass(lines(20), ms).notice);
  assert.equal(notices.filter(Boolean).length, 1);
  assert.match(limit.tell() ?? '', /^dropped 59\d\d log lines/);
  assert.equal(limit.isExceeded, true, 'more may follow');
  assert.equal(limit.tell(), undefined);
  assert.equal(limit.isExceeded, false);
  assert.match(limit.pass(lines(100), 3000).notice ?? '', /exceeded/, 'the next excess is said again');
});

test("the owner's limit in bytes", () => {
  const limit = new LogLimit({ ...wide, bytesPerS: 1024 }, 0);
  const { passed, notice } = limit.pass(lines(3, 'a'.repeat(500)), 0);
  assert.equal(passed.length, 2);
  assert.equal(notice, 'app instance exceeded log rate limit (1024 bytes/sec)');
});

test('few lines, but long ones, meet the limit of the platform', () => {
  const limit = new LogLimit({ ...wide, platformBytesPerS: 100_000 }, 0);
  const { passed, notice } = limit.pass(lines(20, 'a'.repeat(50_000)), 0);
  assert.equal(passed.length, 10);
  assert.equal(notice, 'app instance exceeded log rate limit (100000 bytes/sec)');
});

test('a limit of zero bytes lets nothing through', () => {
  assert.equal(new LogLimit({ ...wide, bytesPerS: 0 }, 0).pass(lines(1), 60_000).passed.length, 0);
});

test('a staging is called so', () => {
  const limit = new LogLimit({ ...wide, who: 'staging', linesPerS: 1 }, 0);
  assert.equal(limit.pass(lines(7), 0).notice, 'staging exceeded log rate limit (1 lines/sec)');
  assert.equal(limit.tell(), 'dropped 2 log lines (2B) of this staging');
});
