import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../platform/random.ts';
import { shareOf } from './addresses.ts';
import { allRanges, ID_COUNT, ID_OFFSET, IdRanges } from './id-ranges.ts';

describe('ranges of ids', () => {
  const rangesOf = (pool: string) => new IdRanges(shareOf(allRanges, pool), seededRandom(1));

  test('no two containers of a node have an id in common, nor with their files', () => {
    const taken = ['dea', 'stager'].flatMap((pool) => {
      const ranges = rangesOf(pool);
      return Array.from({ length: 500 }, () => ranges.take());
    });
    const sorted = [ID_OFFSET, ...taken].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++) assert.ok((sorted[i] ?? 0) - (sorted[i - 1] ?? 0) >= ID_COUNT);
    assert.ok((sorted.at(-1) ?? 0) + ID_COUNT - 1 <= 0x7fff_ffff);
  });

  test('one that is given back comes again, one that an engine before gave does not', () => {
    const ranges = new IdRanges({ first: 0, last: 2 }, seededRandom(2));
    const first = ranges.take();
    const others = [1, 2, 3].map((n) => ID_OFFSET + n * ID_COUNT).filter((id) => id !== first);
    ranges.own(others[0] ?? 0);
    assert.equal(ranges.take(), others[1]);
    assert.throws(() => ranges.take(), /all 3 ranges of user ids are taken; destroy some containers/);
    ranges.release(first);
    assert.equal(ranges.take(), first);
  });
});
