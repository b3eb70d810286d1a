import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { changeSetting } from './config-change.ts';
import { describeEffect, effectOf, liveSettings } from './config-effect.ts';
import { configFault } from './config-rules.ts';

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
  assert.match(why('router.prunS'), /did you mean router\.pruneS/);
  assert.match(why('router.__proto__'), /no setting/);
  assert.match(why('blobs.s3.buckt'), /no setting 'blobs\.s3\.buckt'; did you mean blobs\.s3\.bucket/);
  assert.match(why('router.pruneS.x'), /nothing below/);
  assert.match(why('staging.environment.__proto__'), /no setting/);
});

test('what can not be the value is refused with what can', () => {
  const why = (path: string, value: unknown) => (change(path, value) as { refused: string }).refused;
  assert.equal(why('router.pruneS', 'soon'), "router.pruneS takes a whole number from 1 to 31536000, not 'soon'");
  assert.equal(why('router.pruneS', 1.5), 'router.pruneS takes a whole number from 1 to 31536000, not 1.5');
  assert.equal(why('blobs.kind', 'tape'), "blobs.kind takes folder or s3, not 'tape'");
  assert.equal(why('router.minTlsVersion', 'SSLv3'), "router.minTlsVersion takes TLSv1.2 or TLSv1.3, not 'SSLv3'");
  assert.equal(why('blobs.s3.pathStyle', 'yes'), "blobs.s3.pathStyle takes true or false, not 'yes'");
  assert.match(why('router.trustedProxies', '10.0.0.1'), /takes a list \(JSON\), each an address or a network/);
  assert.match(why('staging.environment.A', 1), /takes a text, not 1/);
  assert.match(why('fence.network', 'all'), /takes a network such as 10\.250\.0\.0\/16, not 'all'/);
  assert.match(why('blobs.s3', { bukket: 'a' }), /takes names and values/);
});

test('a list is changed by its values', () => {
  const path = 'router.stickyCookies';
  const act = (action: 'push' | 'pop', value?: string, stored: unknown = {}) =>
    changeSetting(ClusterConfig, stored, { path, action, value });
  const list = (stickyCookies: string[]) => ({ router: { stickyCookies } });
  // What is there by default stays.
  assert.deepEqual(act('push', 'sid'), { config: list(['JSESSIONID', 'sid']) });
  assert.deepEqual(act('pop', 'a', list(['a', 'b'])), { config: list(['b']) });
  assert.deepEqual(act('pop', undefined, list(['a', 'b'])), { config: list(['a']) });
  assert.match(JSON.stringify(act('pop', 'c', list(['a']))), /has no/);
  assert.match(JSON.stringify(act('pop', undefined, list([]))), /is empty/);
  assert.match(
    JSON.stringify(changeSetting(ClusterConfig, {}, { path: 'dea.memoryMb', action: 'push', value: 1 })),
    /no list/,
  );
});

test('whatever a list gets can be taken out again', () => {
  const value = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/);
  fc.assert(
    fc.property(fc.uniqueArray(value), value, (stickyCookies, one) => {
      const config = { router: { stickyCookies } };
      const path = 'router.stickyCookies';
      const pushed = changeSetting(ClusterConfig, config, { path, action: 'push', value: one });
      if ('refused' in pushed) return stickyCookies.includes(one);
      const popped = changeSetting(ClusterConfig, pushed.config, { path, action: 'pop' });
      assert.deepEqual(popped, { config });
      return true;
    }),
  );
});

test('every default is a value that its own setting takes, and together they can be', () => {
  const config = decode(ClusterConfig, {}, 'config') as Record<string, Record<string, unknown>>;
  for (const [section, settings] of Object.entries(config)) {
    for (const [key, value] of Object.entries(settings)) {
      assert.ok('config' in change(`${section}.${key}`, value), `${section}.${key}`);
      // Those of the backups are read anew before each one.
      const path = `${section}.${key}`;
      const isRead = section === 'backup' || liveSettings.includes(path) || effectOf(path).processes.length > 0;
      assert.ok(isRead, `nothing reads ${path}`);
    }
  }
  assert.equal(configFault(decode(ClusterConfig, {}, 'config')), undefined);
});

const effects: readonly [string, string[], 'micro' | 'core' | 'other', RegExp][] = [
  ['aok.accessTokenS', ['base'], 'micro', /^counts at once$/],
  ['router.pruneS', ['base', 'controller', 'router'], 'micro', /start again: kato restart controller router base$/],
  ['router.drainMs', ['base', 'router'], 'core', /router starts again: kato restart router -n all$/],
  ['router.drainMs', ['base', 'router'], 'other', /: on the Core: kato restart router -n all$/],
  ['balancer.idleS', ['base', 'router'], 'core', /^counts when a node has the role load_balancer$/],
  ['bus.port', ['base'], 'core', /every node: kato restart -n all$/],
];
for (const [path, roles, where, expected] of effects) {
  test(`what a change of ${path} takes, where there is ${roles.join(', ')}, seen from ${where}`, () => {
    assert.match(describeEffect(effectOf(path), { roles, where }), expected);
  });
}
