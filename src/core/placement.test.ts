import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterPlacement, type DeaOffer, formatRejection, type InstanceNeed, placeInstance } from './placement.ts';

const now = 1_000_000;
const context = { nowMs: now, maxAgeMs: 10_000, pick: () => 0 };
const need: InstanceNeed = { process: 'p', memoryMb: 256, diskMb: 512, stack: 'stackato' };
const offer = (id: string, change: Partial<DeaOffer> = {}): DeaOffer => ({
  id,
  availabilityZone: 'default',
  placementZones: ['default'],
  stacks: ['stackato'],
  memoryMb: 1024,
  diskMb: 4096,
  instances: new Map(),
  heardAtMs: now,
  ...change,
});
const chosen = (offers: DeaOffer[], change: Partial<InstanceNeed> = {}) => {
  const placement = placeInstance({ ...need, ...change }, offers, context);
  return 'dea' in placement ? placement.dea.id : [...placement.rejected].sort().join(' ');
};

const table: [string, DeaOffer[], Partial<InstanceNeed>, string][] = [
  ['no DEA at all', [], {}, 'no-dea'],
  ['a silent DEA is not used', [offer('a', { heardAtMs: now - 10_001 })], {}, 'silent'],
  ['ten seconds are still fresh', [offer('a', { heardAtMs: now - 10_000 })], {}, 'a'],
  ['too little memory', [offer('a', { memoryMb: 255 })], {}, 'memory'],
  ['memory exactly enough', [offer('a', { memoryMb: 256 })], {}, 'a'],
  ['too little disk and memory', [offer('a', { memoryMb: 1, diskMb: 1 })], {}, 'disk memory'],
  [
    'only reasons common to all are told',
    [offer('a', { memoryMb: 1, diskMb: 1 }), offer('b', { memoryMb: 1 })],
    {},
    'memory',
  ],
  ['another reason for each', [offer('a', { memoryMb: 1 }), offer('b', { diskMb: 1 })], {}, ''],
  ['another stack', [offer('a', { stacks: ['windows'] })], {}, 'stack'],
  ['an alias of the stack', [offer('a')], { stack: 'cflinuxfs4' }, 'a'],
  ['a DEA that names the alias', [offer('a', { stacks: ['cflinuxfs4'] })], {}, 'a'],
  ['another placement zone', [offer('a')], { placementZone: 'b' }, 'zone'],
  ['no placement zone, and DEAs of one', [offer('a', { placementZones: ['b'] })], {}, 'zone'],
  [
    'fewest of the app',
    [offer('a', { instances: new Map([['p', 1]]) }), offer('b', { instances: new Map([['q', 9]]) })],
    {},
    'b',
  ],
  [
    'the zone with fewest wins over the DEA with fewest',
    [
      offer('a', { availabilityZone: '1', instances: new Map([['p', 2]]) }),
      offer('b', { availabilityZone: '1' }),
      offer('c', { availabilityZone: '2', instances: new Map([['p', 1]]) }),
    ],
    {},
    'c',
  ],
  [
    'zones count DEAs that are full too',
    [
      offer('a', { availabilityZone: '1', memoryMb: 0, instances: new Map([['p', 5]]) }),
      offer('b', { availabilityZone: '1' }),
      offer('c', { availabilityZone: '2' }),
    ],
    {},
    'c',
  ],
  ['the upper half by memory', [offer('a', { memoryMb: 300 }), offer('b', { memoryMb: 900 })], {}, 'b'],
];
for (const [name, offers, change, expected] of table) {
  test(`placement: ${name}`, () => assert.equal(chosen(offers, change), expected));
}

test('placing one after another spreads evenly over equal DEAs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 30 }), fc.nat(), (deas, count, seed) => {
      let offers = Array.from({ length: deas }, (_, i) => offer(`d${i}`, { memoryMb: 65_536, diskMb: 65_536 }));
      for (let i = 0; i < count; i++) {
        const placement = placeInstance(need, offers, { ...context, pick: (n) => (seed + i) % n });
        assert.ok('dea' in placement);
        offers = offers.map((o) => (o === placement.dea ? afterPlacement(o, need) : o));
      }
      const counts = offers.map((o) => o.instances.get('p') ?? 0);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      assert.equal(
        counts.reduce((a, b) => a + b, 0),
        count,
      );
    }),
  );
});

test('a chosen DEA always fits and is never silent', () => {
  const offers = fc.array(
    fc.record({
      id: fc.string(),
      availabilityZone: fc.constantFrom('a', 'b'),
      placementZones: fc.constantFrom(['default'], ['ssd'], ['ssd', 'default']),
      stacks: fc.constantFrom(['stackato'], ['other']),
      memoryMb: fc.integer({ min: 0, max: 600 }),
      diskMb: fc.integer({ min: 0, max: 1200 }),
      instances: fc.constantFrom(new Map(), new Map([['p', 1]]), new Map([['p', 3]])),
      heardAtMs: fc.integer({ min: now - 20_000, max: now }),
    }),
  );
  fc.assert(
    fc.property(offers, fc.nat(), (list, lot) => {
      const placement = placeInstance(need, list, { ...context, pick: (n) => lot % n });
      const fits = (o: DeaOffer) =>
        o.memoryMb >= 256 &&
        o.diskMb >= 512 &&
        o.heardAtMs >= now - 10_000 &&
        o.stacks[0] === 'stackato' &&
        o.placementZones.includes('default');
      if ('dea' in placement) assert.ok(fits(placement.dea));
      else assert.ok(!list.some(fits));
    }),
  );
});

test('the words of a rejection', () => {
  assert.equal(formatRejection(new Set(['memory'])), 'insufficient resources: memory');
  assert.equal(formatRejection(new Set(['memory', 'disk'])), 'insufficient resources: memory, disk');
  assert.equal(formatRejection(new Set(['no-dea'])), 'no DEA is available');
  assert.equal(formatRejection(new Set(['zone']), { placementZone: 'ssd' }), "no DEA is in the placement zone 'ssd'");
});
