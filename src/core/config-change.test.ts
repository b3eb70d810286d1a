import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterConfig } from '../contract/config.ts';
import { changeSetting } from './config-change.ts';

const change = (path: string, value?: unknown, config: unknown = {}) =>
  changeSetting(ClusterConfig, config, { path, value });

test('a setting is changed, and goes back to its default without a value', () => {
  assert.deepEqual(change('router.pruneS', 60), { config: { router: { pruneS: 60 } } });
  assert.deepEqual(change('router.pruneS', undefined, { router: { pruneS: 60, registerS: 5 } }), {
    config: { router: { registerS: 5 } },
  });
});

test('a key below a record is changed alone', () => {
  assert.deepEqual(change('staging.environment.A', '1', { staging: { environment: { B: '2' } } }), {
    config: { staging: { environment: { A: '1', B: '2' } } },
  });
});

test('what does not exist is refused with what does', () => {
  const why = (path: string) => (change(path, 1) as { refused: string }).refused;
  assert.match(why('ruoter.pruneS'), /no section 'ruoter'.*router/);
  assert.match(why('router.prune'), /no setting 'router.prune'.*pruneS/);
  assert.match(why('router'), /no setting 'router\.'/);
  assert.match(why('router.pruneS.x'), /nothing below/);
  assert.match(why('staging.environment.__proto__'), /no setting/);
});
