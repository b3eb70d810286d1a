import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeLines, unknownLines } from './log-merge.ts';
import type { KeptLine } from './log-ring.ts';

const line = (text: string, ms: number, source = 'APP'): KeptLine => ({
  ...{ atNs: BigInt(ms) * 1_000_000n, source, instance: '0', type: 'OUT', text, tags: {} },
});
const texts = (lines: readonly KeptLine[]) => lines.map(({ text }) => text);

test('lines that both heard are there once, the rest by time', () => {
  const theirs = [line('a', 1000), line('b', 2000), line('d', 4000)];
  const own = [line('old', 1), line('b', 2001), line('c', 3000), line('e', 5000)];
  assert.deepEqual(texts(mergeLines(theirs, own)), ['old', 'a', 'b', 'c', 'd', 'e']);
});

test('equal lines said again and again are not taken for one another over time', () => {
  const ping = (...ms: number[]) => ms.map((at) => line('ping', at));
  assert.deepEqual(unknownLines(ping(100_000, 110_000), ping(10_000, 20_000, 100_001, 110_002, 120_000)), [
    ...ping(10_000, 20_000),
    ...ping(120_000),
  ]);
});

test('whatever one of two missed, the merge has each line once and every sender in order', () => {
  const said = fc.array(fc.record({ sender: fc.integer({ min: 0, max: 2 }), text: fc.constantFrom('x', 'y', 'z') }), {
    maxLength: 40,
  });
  const gap = fc.tuple(fc.nat(40), fc.nat(40));
  fc.assert(
    fc.property(said, gap, gap, (all, [from, length], [otherFrom, otherLength]) => {
      const lines = all.map(({ sender, text }, n) => line(`${text}${n % 7 === 0 ? '' : n}`, 10_000 * n, `S${sender}`));
      const without = (start: number, count: number, skewMs: number) =>
        lines
          .filter((_, n) => n < start || n >= start + count)
          .map((one) => ({ ...one, atNs: one.atNs + BigInt(skewMs) * 1_000_000n }));
      const merged = mergeLines(without(from, length, 0), without(otherFrom, otherLength, 500));
      const missedByBoth = (n: number) =>
        n >= from && n < from + length && n >= otherFrom && n < otherFrom + otherLength;
      const expected = lines.filter((_, n) => !missedByBoth(n));
      assert.deepEqual(texts(merged), texts(expected));
    }),
  );
});
