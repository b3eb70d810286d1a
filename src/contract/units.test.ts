import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatMb, parseSizeMb } from './units.ts';

const sizes: readonly (readonly [string, number | undefined])[] = [
  ['256M', 256],
  ['256MB', 256],
  ['1g', 1024],
  ['1.5GB', 1536],
  [' 2T ', 2_097_152],
  ['1048576B', 1],
  ['2048K', 2],
  ['12Q', undefined],
  ['12', undefined],
  ['0M', undefined],
  ['-1M', undefined],
  ['', undefined],
  ['M', undefined],
  ['1e3M', undefined],
  ['512B', undefined],
];

for (const [text, mb] of sizes) {
  test(`parseSizeMb() reads '${text}' as ${mb}`, () => assert.equal(parseSizeMb(text), mb));
}

test('parseSizeMb() reads back what formatMb() writes for whole units', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1023 }), (mb) => parseSizeMb(formatMb(mb)) === mb));
  fc.assert(fc.property(fc.integer({ min: 1, max: 4096 }), (gb) => parseSizeMb(formatMb(gb * 1024)) === gb * 1024));
});

test('formatBytes() keeps to three digits and a unit', () => {
  assert.deepEqual([0, 512, 1536, 21_286_093, 1_073_741_824].map(formatBytes), ['0B', '512B', '1.5K', '20.3M', '1.0G']);
});
