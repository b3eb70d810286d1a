import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AppEffect, type DesiredProcess, effectsOfChange } from './app-change.ts';

const desired = (change: Partial<DesiredProcess> = {}): DesiredProcess => ({
  process: 'p',
  isStarted: true,
  instances: 2,
  version: 'v1',
  uris: ['a.example'],
  ...change,
});
const brief = (effects: AppEffect[]) =>
  effects.map((effect) => {
    if (effect.kind === 'start') return `start ${effect.indices.join(',')}`;
    if (effect.kind === 'stop-indices') return `stop ${effect.indices.join(',')} of ${effect.version}`;
    if (effect.kind === 'stop-version') return `stop ${effect.version}`;
    if (effect.kind === 'route') return `route ${effect.uris.join(' ')}`;
    return effect.kind;
  });

const stopped = desired({ isStarted: false });
const table: [string, DesiredProcess | undefined, DesiredProcess | undefined, string[]][] = [
  ['nothing changed', desired(), desired(), []],
  ['order of routes does not matter', desired({ uris: ['a', 'b'] }), desired({ uris: ['b', 'a'] }), []],
  ['start', stopped, desired(), ['start 0,1', 'announce']],
  ['stop', desired(), stopped, ['stop-all', 'announce']],
  ['restart', desired(), desired({ version: 'v2' }), ['stop v1', 'start 0,1', 'announce']],
  ['scale up', desired(), desired({ instances: 4 }), ['start 2,3', 'announce']],
  ['scale down', desired({ instances: 4 }), desired(), ['stop 2,3 of v1', 'announce']],
  ['scale to none', desired(), desired({ instances: 0 }), ['stop-all', 'announce']],
  ['scale from none', desired({ instances: 0 }), desired(), ['start 0,1', 'announce']],
  ['scale while stopped', stopped, desired({ isStarted: false, instances: 9 }), ['announce']],
  ['new route', desired(), desired({ uris: ['a.example', 'b.example'] }), ['route a.example b.example', 'announce']],
  ['deleted', desired(), undefined, ['stop-all', 'announce']],
  ['created and started', undefined, desired({ instances: 1 }), ['start 0', 'announce']],
];
for (const [name, before, after, expected] of table) {
  test(`app change: ${name}`, () => assert.deepEqual(brief(effectsOfChange(before, after)), expected));
}

test('following the effects of any change leads to exactly the desired instances', () => {
  const arbitrary = fc.option(
    fc.record({
      process: fc.constant('p'),
      isStarted: fc.boolean(),
      instances: fc.integer({ min: 0, max: 6 }),
      version: fc.constantFrom('v1', 'v2'),
      uris: fc.constant<string[]>([]),
    }),
    { nil: undefined },
  );
  const instancesOf = (d: DesiredProcess | undefined) =>
    new Set(d?.isStarted ? Array.from({ length: d.instances }, (_, i) => `${d.version}/${i}`) : []);
  fc.assert(
    fc.property(arbitrary, arbitrary, (before, after) => {
      let now = instancesOf(before);
      for (const effect of effectsOfChange(before, after)) {
        if (effect.kind === 'stop-all') now = new Set();
        if (effect.kind === 'stop-version') now = new Set([...now].filter((i) => !i.startsWith(effect.version)));
        if (effect.kind === 'stop-indices') for (const i of effect.indices) now.delete(`${effect.version}/${i}`);
        if (effect.kind === 'start') for (const i of effect.indices) now.add(`${after?.version}/${i}`);
      }
      assert.deepEqual(now, instancesOf(after));
    }),
  );
});
