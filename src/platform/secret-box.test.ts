import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSignedPath, secretBox, signPath } from './secret-box.ts';

const key = randomBytes(32).toString('base64');

test('secretBox() opens what it sealed, and never seals alike', () => {
  const box = secretBox(key);
  fc.assert(fc.property(fc.string(), (plain) => box.open(box.seal(plain)) === plain));
  assert.notEqual(box.seal('same'), box.seal('same'));
});

test('secretBox() refuses what was changed, and another key', () => {
  const sealed = secretBox(key).seal('secret');
  const parts = sealed.split('.');
  parts[3] = Buffer.from('other!').toString('base64url');
  assert.throws(() => secretBox(key).open(parts.join('.')));
  assert.throws(() => secretBox(randomBytes(32).toString('base64')).open(sealed));
  assert.throws(() => secretBox(key).open('plain text'), /not a sealed secret/);
  assert.throws(() => secretBox('short'), /32 bytes/);
});

test('a signed path is valid for its method, path, key and time only', () => {
  const url = signPath(key, { method: 'GET', path: '/internal/v1/x', expiresAtS: 1000 });
  assert.equal(isSignedPath(key, 'GET', url, 999_000), true);
  assert.equal(isSignedPath(key, 'PUT', url, 999_000), false);
  assert.equal(isSignedPath(key, 'GET', url, 1_000_001), false);
  assert.equal(isSignedPath(key, 'GET', url.replace('/x', '/y'), 999_000), false);
  assert.equal(isSignedPath(key, 'GET', url.replace('expires=1000', 'expires=9000'), 999_000), false);
  assert.equal(isSignedPath(randomBytes(32).toString('base64'), 'GET', url, 999_000), false);
  assert.equal(isSignedPath(key, 'GET', '/internal/v1/x', 999_000), false);
});
