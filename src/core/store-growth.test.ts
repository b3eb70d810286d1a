import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { grownSize, headroomBytes, KEPT_FREE_BYTES, type StoreSpace } from './store-growth.ts';

const GB = 1024 ** 3;
const space: StoreSpace = {
  imageBytes: 3 * GB,
  largestBytes: 20 * GB,
  freeInsideBytes: GB / 4,
  freeOutsideBytes: 30 * GB,
};

test('a store grows in steps to what is wanted', () => {
  assert.equal(grownSize(space, GB / 4), undefined);
  assert.equal(grownSize(space, GB / 2), 3.5 * GB);
  assert.equal(grownSize(space, 2 * GB), 5 * GB);
});

test('a store stops at its largest size, and where the disk around it is nearly full', () => {
  assert.equal(grownSize({ ...space, largestBytes: 3.25 * GB }, 2 * GB), 3.25 * GB);
  assert.equal(grownSize({ ...space, freeOutsideBytes: KEPT_FREE_BYTES + GB / 8 }, 2 * GB), 3.125 * GB);
  assert.equal(grownSize({ ...space, freeOutsideBytes: KEPT_FREE_BYTES }, 2 * GB), undefined);
  assert.equal(grownSize({ ...space, freeOutsideBytes: 0 }, 2 * GB), undefined);
});

test('more is kept free while more is written', () => {
  assert.deepEqual([0, GB / 8, GB / 2, 5 * GB].map(headroomBytes), [GB / 2, GB / 2, GB, 4 * GB]);
});

test('a store never takes what the rest of the node needs, nor shrinks', () => {
  const bytes = fc.integer({ min: 0, max: 40 * GB });
  const spaces = fc.record({ imageBytes: bytes, largestBytes: bytes, freeInsideBytes: bytes, freeOutsideBytes: bytes });
  fc.assert(
    fc.property(spaces, bytes, (given, wanted) => {
      const size = grownSize(given, wanted);
      if (size === undefined) return;
      assert.ok(size > given.imageBytes && size <= given.largestBytes);
      assert.ok(given.freeOutsideBytes - (size - given.imageBytes) >= KEPT_FREE_BYTES);
    }),
  );
});
