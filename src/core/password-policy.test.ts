import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passwordFault } from './password-policy.ts';

const rules = { minLength: 8, userName: 'ann@example.com' };

test('good passwords pass', () => {
  for (const password of ['12345678', 'correct horse', '日本語日本語日本', 'x'.repeat(1024)]) {
    assert.equal(passwordFault(password, rules), undefined, password);
  }
});

test('bad passwords are refused with the reason', () => {
  assert.match(passwordFault('1234567', rules) ?? '', /at least 8 characters/);
  assert.match(passwordFault('x'.repeat(1025), rules) ?? '', /no more than 1024/);
  assert.match(passwordFault(' '.repeat(9), rules) ?? '', /blank/);
  assert.match(passwordFault('ANN@example.com', rules) ?? '', /user name/);
});
