import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRegeneration, regenerationTargets } from './regeneration.ts';

test('all is everything that the node keeps', () => {
  assert.deepEqual(planRegeneration(['all'], { isCore: true }), regenerationTargets);
  assert.deepEqual(planRegeneration(['all'], { isCore: false }), ['bus', 'ssl_cert']);
});

test('named ones come once and in order, also by their other names', () => {
  assert.deepEqual(planRegeneration(['certificates', 'bus', 'ssl_cert'], { isCore: false }), ['bus', 'ssl_cert']);
});

test('what is kept elsewhere or is nothing is refused', () => {
  const refused = (names: string[]) => {
    const plan = planRegeneration(names, { isCore: false });
    return 'refused' in plan ? plan.refused : 'fine';
  };
  assert.match(refused(['postgresql']), /kept by the Core/);
  assert.match(refused(['bus', 'ssh_keys']), /no secret 'ssh_keys'/);
});
