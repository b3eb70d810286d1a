import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLoginServer } from './testing/login-server.ts';

const PASSWORD = 'printed-once-by-set-up';
const who = { email: 'first@example.com', password: 'a good password' };

/** A platform that nobody has taken yet, with its set-up password. */
async function startUnclaimed(config: Record<string, unknown> = {}) {
  const login = await startLoginServer(config, { isClaimed: false });
  const claim = (fields: Record<string, string>) =>
    login.call({
      method: 'POST',
      url: '/stackato/license',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams(fields).toString(),
    });
  return { ...login, claim };
}

test('whoever has the set-up password makes the first administrator, once', async () => {
  await using login = await startUnclaimed();
  assert.equal((await login.claim({ ...who, unix_password: PASSWORD })).status, 403, 'before there is one');
  assert.equal((await login.setupPassword(PASSWORD)).status, 204);
  assert.equal((await login.claim({ ...who, unix_password: 'stackato' })).status, 401);
  assert.equal((await login.claim({ ...who, password: 'x', unix_password: PASSWORD })).status, 422);
  assert.equal((await login.claim({ email: who.email, unix_password: PASSWORD })).status, 400);
  const { status, body } = await login.claim({ ...who, unix_password: PASSWORD });
  assert.equal(status, 201);
  assert.equal(body.email, who.email);
  assert.equal((await login.logIn(who.email, who.password)).status, 200);
  assert.equal((await login.claim({ ...who, email: 'eve@example.com', unix_password: PASSWORD })).status, 409);
  assert.equal((await login.setupPassword(PASSWORD)).status, 409, 'there is an administrator');
});

test('of those who come at once, one becomes administrator', async () => {
  await using login = await startUnclaimed();
  await login.setupPassword(PASSWORD);
  const names = ['a@example.com', 'b@example.com', 'c@example.com'];
  const answers = await Promise.all(names.map((email) => login.claim({ ...who, email, unix_password: PASSWORD })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
});

test('the set-up password can not be guessed at for ever', async () => {
  await using login = await startUnclaimed({ lockoutFailures: 3, lockoutS: 60 });
  await login.setupPassword(PASSWORD);
  const guesses = await Promise.all(['a', 'b', 'c', 'd'].map((guess) => login.claim({ ...who, unix_password: guess })));
  assert.deepEqual(
    guesses.map(({ status }) => status),
    [401, 401, 401, 429],
  );
  assert.equal((await login.claim({ ...who, unix_password: PASSWORD })).status, 429, 'the right one too');
  await login.clock.advance(61_000);
  assert.equal((await login.claim({ ...who, unix_password: PASSWORD })).status, 201);
});
