import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FreshnessFacts, freshness, heartbeatsSince } from './freshness.ts';

const policy = { intervalMs: 8000, desiredMaxAgeMs: 30_000 };
const now = 100_000;
const good: FreshnessFacts = {
  heartbeatsSinceMs: now - 8000,
  lastHeartbeatMs: now - 100,
  allHeardEveryMs: undefined,
  desiredReadMs: now - 1000,
};

const cases: readonly [string, Partial<FreshnessFacts>, string | undefined, number?][] = [
  ['a whole interval of heartbeats and a new desired state', {}, undefined],
  ['not after the first heartbeat', { heartbeatsSinceMs: now }, 'heartbeats were heard for 0 ms only', 8000],
  ['not one ms early', { heartbeatsSinceMs: now - 7999 }, 'heartbeats were heard for 7999 ms only', 1],
  [
    'two heartbeats are enough once all were heard',
    { heartbeatsSinceMs: now - 2500, allHeardEveryMs: 2000 },
    undefined,
  ],
  [
    'not less than two',
    { heartbeatsSinceMs: now - 2499, allHeardEveryMs: 2000 },
    'heartbeats were heard for 2499 ms only',
    1,
  ],
  ['never longer than the interval', { allHeardEveryMs: 60_000 }, undefined],
  ['silence of an interval exactly is still trusted', { lastHeartbeatMs: now - 8000 }, undefined],
  ['silence of more is not', { lastHeartbeatMs: now - 8001 }, 'no DEA was heard for 8001 ms'],
  ['never heard', { heartbeatsSinceMs: undefined, lastHeartbeatMs: undefined }, 'no heartbeat was heard yet'],
  ['never read', { desiredReadMs: undefined }, 'the desired state was not read yet'],
  ['read long ago', { desiredReadMs: now - 30_001 }, 'the desired state is 30001 ms old'],
];

for (const [name, facts, because, inMs] of cases) {
  test(`freshness: ${name}`, () => {
    const stale = { isFresh: false, because, ...(inMs === undefined ? {} : { inMs }) };
    const expected = because === undefined ? { isFresh: true } : stale;
    assert.deepEqual(freshness({ ...good, ...facts }, now, policy), expected);
  });
}

test('a gap longer than the interval begins the wait anew', () => {
  const before = { heartbeatsSinceMs: 1000, lastHeartbeatMs: 5000 };
  assert.equal(heartbeatsSince(before, 13_000, 8000), 1000);
  assert.equal(heartbeatsSince(before, 13_001, 8000), 13_001);
});
