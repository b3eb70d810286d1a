import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseServerFault, databaseUrlFault } from './database-url.ts';

test('a URL is that of a server, with user, password and database', () => {
  const cluster = { isMicro: false };
  const good = 'postgresql://admin:p%40ss@db.example.com/stackato?sslmode=verify-full';
  assert.equal(databaseUrlFault(good, cluster), undefined);
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    const text = good.replace('db.example.com', host);
    assert.match(databaseUrlFault(text, cluster) ?? '', /every controller reaches/);
    assert.equal(databaseUrlFault(text, { isMicro: true }), undefined);
  }
  for (const [text, why] of [
    ['db.example.com', /no URL/],
    ['mysql://a:b@db/stackato', /begin with postgresql/],
    ['postgresql:///stackato', /no host/],
    ['postgresql://admin@db/stackato', /user and password/],
    ['postgresql://a:b@db/', /database of a-z/],
    ['postgresql://a:b@db/x;drop', /database of a-z/],
    ['postgresql://a:b@db/postgres', /own database/],
    ['postgresql://a:b@db/stackato?options=-c', /option options/],
  ] as const) {
    assert.match(databaseUrlFault(text, cluster) ?? '', why, text);
  }
});

test('a server is refused that can not be spoken to, lacks rights, or is of others', () => {
  const self = { owner: 'Stackato c1', newest: 15 };
  const good = { version: 150_013, mayMakeRoles: true, mayMakeDatabases: true, owner: undefined, users: [] };
  assert.equal(databaseServerFault(good, self), undefined);
  assert.equal(databaseServerFault({ ...good, owner: self.owner, users: ['aok'] }, self), undefined);
  assert.match(databaseServerFault({ ...good, version: 160_001 }, self) ?? '', /PostgreSQL 16; versions 13 to 15/);
  assert.match(databaseServerFault({ ...good, version: 120_001 }, self) ?? '', /PostgreSQL 12/);
  assert.match(databaseServerFault({ ...good, mayMakeRoles: false }, self) ?? '', /CREATEROLE/);
  assert.match(databaseServerFault({ ...good, owner: '' }, self) ?? '', /not of this platform/);
  assert.match(databaseServerFault({ ...good, users: ['aok'] }, self) ?? '', /another platform/);
});
