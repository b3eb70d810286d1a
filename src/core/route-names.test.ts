import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouteNames } from './route-names.ts';

const at = (port: number, ...uris: string[]) => ({ host: '10.0.0.1', port, uris });
const names = () => new RouteNames('me.local', { keptMs: 120_000, leavingMs: 5000 });

test('a name stays while somebody registers it, and is below the domain', () => {
  const list = names();
  list.registered(at(1, 'a.me.local', 'b.me.local/path', 'other.test', '*.me.local'), 0);
  assert.deepEqual(list.list(120_000), ['a.me.local', 'b.me.local']);
  list.registered(at(1, 'a.me.local'), 60_000);
  assert.deepEqual(list.list(120_001), ['a.me.local']);
  assert.deepEqual(list.list(180_001), []);
});

test('a name leaves a little after its last endpoint, and comes back with the next', () => {
  const list = names();
  list.registered(at(1, 'a.me.local'), 0);
  list.registered(at(2, 'a.me.local'), 0);
  list.unregistered(at(1, 'a.me.local'), 1000);
  assert.deepEqual(list.list(10_000), ['a.me.local']);
  list.unregistered(at(2, 'a.me.local'), 20_000);
  assert.deepEqual(list.list(25_000), ['a.me.local']);
  list.registered(at(3, 'a.me.local'), 25_000);
  assert.deepEqual(list.list(26_000), ['a.me.local']);
  list.unregistered(at(3, 'a.me.local'), 26_000);
  assert.deepEqual(list.list(31_001), []);
});
