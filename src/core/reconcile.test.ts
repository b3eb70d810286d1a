import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  type ActualInstance,
  type DesiredProcess,
  limitStarts,
  type ProcessFacts,
  type ReconcilePolicy,
  reconcile,
  reconcileAll,
} from './reconcile.ts';

const policy: ReconcilePolicy = {
  freeCrashes: 3,
  firstDelayMs: 30_000,
  maxDelayMs: 960_000,
  resetAfterMs: 300_000,
  graceMs: 10_000,
};
const now = 10_000_000;
const longAgo = now - 3_600_000;

const desired = (change: Partial<DesiredProcess> = {}): DesiredProcess => ({
  instances: 2,
  state: 'STARTED',
  version: 'v2',
  packageState: 'STAGED',
  changedAtMs: longAgo,
  updatedAtS: longAgo / 1000,
  ...change,
});

const one = (index: number, change: Partial<ActualInstance> = {}): ActualInstance => ({
  instance: `i${index}`,
  index,
  version: 'v2',
  state: 'RUNNING',
  sinceMs: longAgo,
  ...change,
});

const facts = (change: Partial<ProcessFacts> = {}): ProcessFacts => ({
  droplet: 'd',
  desired: desired(),
  actual: [one(0), one(1)],
  crashes: undefined,
  pendingStarts: undefined,
  pendingStops: undefined,
  seen: undefined,
  ...change,
});

const crash = (index: number, count: number, agoMs: number) =>
  [index, { count, lastAtMs: now - agoMs, instance: `dead${index}` }] as const;

const brief = (actions: readonly Action[]) =>
  actions.map((action) => (action.kind === 'start' ? `start ${action.index}` : `stop ${action.instance}`));

const cases: readonly [string, Partial<ProcessFacts>, string[]][] = [
  ['all is well', {}, []],
  ['a missing index is started', { actual: [one(0)] }, ['start 1']],
  ['a starting one is not missing', { actual: [one(0), one(1, { state: 'STARTING' })] }, []],
  ['nothing is started twice within the grace', { actual: [one(0)], pendingStarts: pending(1, 'v2', 9_999) }, []],
  [
    'a start that was lost is asked for again',
    { actual: [one(0)], pendingStarts: pending(1, 'v2', 10_000) },
    ['start 1'],
  ],
  [
    'a pending start of another version does not count',
    { actual: [one(0)], pendingStarts: pending(1, 'v1', 5) },
    ['start 1'],
  ],
  [
    'a new desired state is left to whoever made it',
    { actual: [], desired: desired({ changedAtMs: now - 9_999 }) },
    [],
  ],
  [
    'but an index that was seen alive is started at once',
    { actual: [], desired: desired({ changedAtMs: now - 5 }), seen: new Set([1]) },
    ['start 1'],
  ],
  ['the first crashes are restarted at once', { actual: [one(0)], crashes: new Map([crash(1, 3, 0)]) }, ['start 1']],
  ['later ones wait', { actual: [one(0)], crashes: new Map([crash(1, 4, 29_999)]) }, []],
  ['until the delay is over', { actual: [one(0)], crashes: new Map([crash(1, 4, 30_000)]) }, ['start 1']],
  [
    'when all crash again and again, only index 0 probes',
    { actual: [], crashes: new Map([crash(0, 5, 99_000), crash(1, 5, 99_000)]) },
    ['start 0'],
  ],
  [
    'once the probe lives, the others follow',
    { actual: [one(0, { state: 'STARTING' })], crashes: new Map([crash(0, 5, 99_000), crash(1, 5, 99_000)]) },
    ['start 1'],
  ],
  [
    'when all crash for the first time, all are restarted',
    { actual: [], crashes: new Map([crash(0, 1, 0), crash(1, 1, 0)]) },
    ['start 0', 'start 1'],
  ],
  ['an instance known as crashed is not alive', { actual: [one(0), one(1, { state: 'CRASHED' })] }, ['start 1']],
  ['an extra index is stopped', { actual: [one(0), one(1), one(2)] }, ['stop i2']],
  [
    'of two at one index the older running one stays',
    { actual: [one(0), one(1, { instance: 'young', sinceMs: now - 5 }), one(1)] },
    ['stop young'],
  ],
  [
    'a running one stays before an older starting one',
    { actual: [one(0), one(1, { instance: 'slow', state: 'STARTING', sinceMs: 1 }), one(1)] },
    ['stop slow'],
  ],
  ['no extra is stopped while something must start', { actual: [one(0), one(2)] }, ['start 1']],
  [
    'nor while a start is under way',
    { actual: [one(0), one(0, { instance: 'x' })], pendingStarts: pending(1, 'v2', 5) },
    [],
  ],
  [
    'an old version serves until enough of the current one run',
    { actual: [one(0), one(1, { state: 'STARTING' }), one(0, { instance: 'old', version: 'v1' })] },
    [],
  ],
  ['then it is stopped', { actual: [one(0), one(1), one(0, { instance: 'old', version: 'v1' })] }, ['stop old']],
  ['all of a stopped app are stopped', { desired: desired({ state: 'STOPPED' }) }, ['stop i0', 'stop i1']],
  ['after the grace', { desired: desired({ state: 'STOPPED', changedAtMs: now - 5 }) }, []],
  [
    'a stop is not asked for twice within the grace',
    { desired: desired({ state: 'STOPPED' }), pendingStops: new Map([['i0', now - 5]]) },
    ['stop i1'],
  ],
  ['an unknown app is stopped', { desired: undefined }, ['stop i0', 'stop i1']],
  ['unless it just came', { desired: undefined, actual: [one(0, { sinceMs: now - 9_999 })] }, []],
  ['an app that is being staged is left alone', { desired: desired({ packageState: 'PENDING' }), actual: [] }, []],
  ['an evacuated one is replaced', { actual: [one(0), one(1, { state: 'EVACUATING' })] }, ['start 1']],
  [
    'and serves until the replacement does',
    { actual: [one(0), one(1, { state: 'EVACUATING' }), one(1, { instance: 'new', state: 'STARTING' })] },
    [],
  ],
  [
    'then it goes',
    { actual: [one(0), one(1, { instance: 'leaving', state: 'EVACUATING' }), one(1)] },
    ['stop leaving'],
  ],
  ['zero instances: nothing runs', { desired: desired({ instances: 0 }) }, ['stop i0', 'stop i1']],
];

for (const [name, change, expected] of cases) {
  test(`reconcile: ${name}`, () => assert.deepEqual(brief(reconcile(facts(change), now, policy)), expected));
}

test('every action says why', () => {
  const actions = reconcile(facts({ actual: [one(0)] }), now, policy);
  assert.deepEqual(actions, [{ kind: 'start', index: 1, because: 'index 1 is missing', isFlapping: false }]);
});

const anyInstance = fc.record({
  instance: fc.uuid(),
  index: fc.nat(4),
  version: fc.constantFrom('v1', 'v2'),
  state: fc.constantFrom('STARTING', 'RUNNING', 'EVACUATING', 'CRASHED'),
  sinceMs: fc.integer({ min: longAgo, max: now }),
});
const anyFacts = fc.record({
  droplet: fc.constant('d'),
  desired: fc.option(
    fc.record({
      instances: fc.nat(4),
      state: fc.constantFrom('STARTED', 'STOPPED'),
      version: fc.constant('v2'),
      packageState: fc.constantFrom('STAGED', 'PENDING', 'FAILED'),
      changedAtMs: fc.integer({ min: longAgo, max: now }),
      updatedAtS: fc.constant(0),
    }),
    { nil: undefined },
  ),
  actual: fc.uniqueArray(anyInstance, { maxLength: 8, selector: ({ instance }) => instance }),
  crashes: fc
    .array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 8 }), fc.nat(100_000)), { maxLength: 4 })
    .map((list) => new Map(list.map(([index, count, agoMs]) => crash(index, count, agoMs)))),
  pendingStarts: fc
    .array(fc.tuple(fc.nat(4), fc.nat(20_000)), { maxLength: 2 })
    .map((list) => new Map(list.map(([index, agoMs]) => [index, { version: 'v2', atMs: now - agoMs }]))),
  pendingStops: fc.constant(undefined),
  seen: fc.constant(undefined),
});

test('property: nothing is ever started that should not run', () => {
  fc.assert(
    fc.property(anyFacts, (given: ProcessFacts) => {
      const starts = reconcile(given, now, policy).filter(({ kind }) => kind === 'start');
      if (given.desired?.state !== 'STARTED' || given.desired.packageState !== 'STAGED') assert.deepEqual(starts, []);
      for (const start of starts) assert.ok(start.kind === 'start' && start.index < (given.desired?.instances ?? 0));
    }),
    { numRuns: 500 },
  );
});

test('property: of the instances that should run one stays, and no start comes with a stop', () => {
  fc.assert(
    fc.property(anyFacts, (given: ProcessFacts) => {
      if (given.desired?.state !== 'STARTED' || given.desired.instances === 0) return;
      const actions = reconcile(given, now, policy);
      assert.equal(new Set(actions.map(({ kind }) => kind)).size <= 1, true);
      const stopped = new Set(actions.flatMap((action) => (action.kind === 'stop' ? [action.instance] : [])));
      const wanted = given.actual.filter(
        ({ state, version, index }) =>
          state === 'RUNNING' && version === 'v2' && index < (given.desired?.instances ?? 0),
      );
      if (wanted.length > 0) assert.ok(wanted.some(({ instance }) => !stopped.has(instance)));
    }),
    { numRuns: 500 },
  );
});

test('property: once the actions were done, nothing more is to do', () => {
  fc.assert(
    fc.property(anyFacts, (given: ProcessFacts) => {
      let state = given;
      for (let round = 0; round < 4; round++) {
        const actions = reconcile(state, now, policy);
        if (actions.length === 0) return;
        state = applied(state, actions);
      }
      assert.deepEqual(reconcile(state, now, policy), []);
    }),
    { numRuns: 500 },
  );
});

function applied(state: ProcessFacts, actions: readonly Action[]): ProcessFacts {
  const stopped = new Set(actions.flatMap((action) => (action.kind === 'stop' ? [action.instance] : [])));
  const started = actions.flatMap((action) =>
    action.kind === 'start' ? [one(action.index, { instance: `new${action.index}`, sinceMs: now })] : [],
  );
  return { ...state, actual: [...state.actual.filter(({ instance }) => !stopped.has(instance)), ...started] };
}

test('starts are limited, the neediest process first, stops are not', () => {
  const missingHalf = facts({ droplet: 'half', actual: [one(0)] });
  const missingAll = facts({ droplet: 'all', actual: [] });
  const extra = facts({ droplet: 'extra', actual: [one(0), one(1), one(2)] });
  const plans = limitStarts(reconcileAll([missingHalf, extra, missingAll], now, policy), 2);
  assert.deepEqual(
    plans.map((plan) => [plan.droplet, ...brief(plan.actions)]),
    [
      ['all', 'start 0', 'start 1'],
      ['extra', 'stop i2'],
    ],
  );
});

test('100,000 instances are reconciled completely', (context) => {
  const all: ProcessFacts[] = Array.from({ length: 10_000 }, (_, p) =>
    facts({
      droplet: `d${p}`,
      desired: desired({ instances: 10 }),
      actual: Array.from({ length: p % 100 === 0 ? 9 : 10 }, (_, i) => one(i, { instance: `${p}-${i}` })),
    }),
  );
  reconcileAll(all, now, policy);
  const before = performance.now();
  const plans = reconcileAll(all, now, policy);
  context.diagnostic(`100,000 instances in ${(performance.now() - before).toFixed(1)} ms`);
  assert.equal(plans.length, 100);
});

function pending(index: number, version: string, agoMs: number) {
  return new Map([[index, { version, atMs: now - agoMs }]]);
}

test('an evacuated instance counts as serving, not as running: it is replaced, and its end leaves enough', () => {
  const leaving = one(1, { instance: 'leaving', state: 'EVACUATING' });
  const [plan] = reconcileAll([facts({ actual: [one(0), leaving, one(1)] })], now, policy);
  assert.deepEqual([Object.values(plan?.running ?? {}), Object.values(plan?.serving ?? {})], [[2], [3]]);
});
