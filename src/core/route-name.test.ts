import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRoute, domainNameFault, formatRoute, routeFaults } from './route-name.ts';

const shared = { name: 'example.com', isShared: true, isInternal: false };

test('a route is written as host, domain, port and path', () => {
  assert.equal(formatRoute({ host: 'a', domain: 'b.c', path: '/d', port: null }), 'a.b.c/d');
  assert.equal(formatRoute({ host: '', domain: 'b.c', path: '', port: 1024 }), 'b.c:1024');
});

test('hosts and paths that no router could match are refused', () => {
  assert.deepEqual(routeFaults({ host: 'my-app_1', path: '/v1/x' }, shared), []);
  assert.deepEqual(routeFaults({ host: '*', path: '' }, shared), []);
  for (const [host, path] of [
    ['a b', ''],
    ['', ''],
    ['a.', ''],
    ['x'.repeat(64), ''],
    ['a', 'x'],
    ['a', '/'],
    ['a', '/x?y'],
    ['a', `/${'x'.repeat(128)}`],
    ['a', '/x y'],
  ] as const) {
    assert.equal(routeFaults({ host, path }, shared).length, 1, `${host} ${path}`);
  }
  assert.deepEqual(routeFaults({ host: '', path: '' }, { ...shared, isShared: false }), []);
  assert.equal(routeFaults({ host: '*', path: '/x' }, { ...shared, isInternal: true }).length, 2);
});

test('a route is described by the parts it has', () => {
  assert.equal(describeRoute({ host: 'h', path: '/p', port: null }), "host 'h' and path '/p'");
  assert.equal(describeRoute({ host: '', path: '', port: null }), undefined);
});

test('domain names need two labels of letters, digits and inner hyphens', () => {
  for (const name of ['example.com', 'a.b.c', 'x-1.example']) assert.equal(domainNameFault(name), undefined, name);
  for (const name of ['example', '-a.b', 'a-.b', 'a..b', 'a_b.c', `${'x'.repeat(64)}.com`, `${'a.'.repeat(127)}com`]) {
    assert.notEqual(domainNameFault(name), undefined, name);
  }
});
