import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type KeptLine, LogRing } from './log-ring.ts';

const line = (atNs: bigint, text = 'x'): KeptLine => ({
  atNs,
  source: 'APP/PROC/WEB',
  instance: '0',
  type: 'OUT',
  text,
  tags: {},
});
const far = 1n << 62n;
const all = { startNs: -far, endNs: far, limit: 1000, isDescending: false };
const times = (lines: readonly KeptLine[]) => lines.map(({ atNs }) => Number(atNs));

test('keeps the newest lines, in order', () => {
  const ring = new LogRing({ lines: 3, bytes: 1e6 });
  for (let at = 1n; at <= 10n; at++) ring.add(line(at), far);
  assert.deepEqual(times(ring.read(all)), [8, 9, 10]);
  assert.equal(ring.expired, 7);
});

test('reads a window, from either end', () => {
  const ring = new LogRing({ lines: 100, bytes: 1e6 });
  for (let at = 1n; at <= 10n; at++) ring.add(line(at), far);
  const window = { startNs: 3n, endNs: 8n, limit: 3 };
  assert.deepEqual(times(ring.read({ ...window, isDescending: false })), [3, 4, 5]);
  assert.deepEqual(times(ring.read({ ...window, isDescending: true })), [7, 6, 5]);
  assert.deepEqual(times(ring.recent(2)), [9, 10]);
});

test('times become strictly increasing, and none is in the future', () => {
  const ring = new LogRing({ lines: 100, bytes: 1e6 });
  for (const at of [5n, 5n, 3n, 900n, 6n]) ring.add(line(at), 100n);
  assert.deepEqual(times(ring.read(all)), [5, 6, 7, 100, 101]);
});

test('long lines make room earlier, but the last one always stays', () => {
  const ring = new LogRing({ lines: 100, bytes: 5000 });
  for (let at = 1n; at <= 10n; at++) ring.add(line(at, 'y'.repeat(1000)), far);
  assert.deepEqual(times(ring.read(all)), [9, 10]);
  ring.add(line(11n, 'z'.repeat(100_000)), far);
  assert.deepEqual(times(ring.read(all)), [11]);
});

test('property: what is read is strictly increasing, complete and bounded', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 50n })), fc.integer({ min: 1, max: 20 }), (ats, capacity) => {
      const ring = new LogRing({ lines: capacity, bytes: 1e9 });
      ats.forEach((at, i) => void ring.add(line(at, String(i)), far));
      const read = ring.read(all);
      assert.equal(read.length, Math.min(ats.length, capacity));
      assert.deepEqual(
        read.map(({ text }) => text),
        ats.map((_, i) => String(i)).slice(-capacity),
      );
      for (let i = 1; i < read.length; i++) assert.ok((read[i]?.atNs ?? 0n) > (read[i - 1]?.atNs ?? 0n));
    }),
  );
});
