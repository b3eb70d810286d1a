import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hideSecrets, isSecretName, secretsIn, textsIn } from './redaction.ts';

test('a secret is found in none of its forms, wherever it stood', () => {
  const secret = fc.string({ minLength: 6, maxLength: 40 }).filter((one) => !'[hidden]'.includes(one));
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (one, before, after) => {
      const text = `${before}${one}${after} ${encodeURIComponent(one)} ${JSON.stringify(one)}`;
      const hidden = hideSecrets(text, [one]).replaceAll('[hidden]', '');
      assert.ok(!hidden.includes(one) || `${before}${after}`.includes(one));
    }),
  );
});

test('what is secret by its form is hidden without being known', () => {
  const shown = (text: string) => hideSecrets(text, []);
  assert.equal(shown('postgresql://aok:geheim@127.0.0.1:5432/x'), 'postgresql://aok:[hidden]@127.0.0.1:5432/x');
  assert.equal(shown('{ user: "dea", password: "0a1b2c" }'), '{ user: "dea", password: "[hidden]" }');
  assert.equal(shown('{"token":"abc"}'), '{"token":"[hidden]"}');
  assert.equal(shown('password=abc def'), 'password=[hidden] def');
  assert.equal(shown('Authorization: Bearer abcdefgh12345'), 'Authorization: Bearer [hidden]');
  assert.equal(
    shown(`kato node attach 10.0.0.1 --token ${'a'.repeat(40)}.${'b'.repeat(32)}`),
    'kato node attach 10.0.0.1 --token [hidden]',
  );
  const key = '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----';
  assert.equal(shown(`a\n${key}\nb`), 'a\n[hidden]\nb');
  assert.equal(shown(key.slice(0, 40)), '[hidden]', 'a key that was cut short');
  assert.equal(shown('token expired; the password is wrong'), 'token expired; the password is wrong');
});

test('names tell what is secret', () => {
  for (const name of [
    'password',
    'DB_PASSWORD',
    'API_KEY',
    'secretAccessKey',
    'accessKeyId',
    'GITHUB_TOKEN',
    'signingKey',
  ])
    assert.ok(isSecretName(name), name);
  for (const name of ['path', 'passwordMinLength', 'keyboard', 'HTTP_PROXY', 'monkey'])
    assert.ok(!isSecretName(name), name);
});

test('secrets are read out of values by their names, and out of URLs', () => {
  const value = { a: { password: 'p1', list: [{ token: 't1' }] }, url: 'http://u:p2@proxy:1', name: 'n', n: 3 };
  assert.deepEqual(secretsIn(value).sort(), ['p1', 'p2', 't1']);
  assert.deepEqual(textsIn({ a: ['x', { b: 'y' }], c: 1 }), ['x', 'y']);
});
