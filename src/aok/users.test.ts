import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, startLoginServer } from './testing/login-server.ts';

const ann = { userName: 'Ann@Example.com', password: 'another good one', emails: [{ value: 'ann@example.com' }] };

test('prompts are pairs, and links follow the scheme and port of the request', async () => {
  await using login = await startLoginServer();
  const headers = { host: 'login.stackato.localhost:8443', 'x-forwarded-proto': 'https' };
  for (const url of ['/login', '/info']) {
    const { body } = await login.call({ method: 'GET', url, headers });
    assert.deepEqual((body.prompts as Record<string, unknown>).username, ['text', 'Email']);
    assert.deepEqual(body.links, {
      uaa: 'https://uaa.stackato.localhost:8443',
      login: 'https://login.stackato.localhost:8443',
    });
  }
});

test('wrong names and wrong passwords get the same answer', async () => {
  await using login = await startLoginServer();
  const answers = [await login.logIn(admin.email, 'wrong'), await login.logIn('nobody@example.com', 'wrong')];
  for (const { status, body } of answers) {
    assert.equal(status, 401);
    assert.deepEqual(body, { error: 'unauthorized', error_description: 'Bad credentials' });
  }
});

test('a name is locked after too many failures, known or not, even when guessed at once', async () => {
  await using login = await startLoginServer({ lockoutFailures: 3, lockoutS: 60 });
  for (const name of [admin.email, 'nobody@example.com']) {
    const guesses = await Promise.all(Array.from({ length: 8 }, () => login.logIn(name, 'wrong')));
    const locked = guesses.filter(({ body }) =>
      body.error_description.startsWith('Your account has been locked because of too many failed attempts to login.'),
    );
    assert.equal(locked.length, 5, name);
  }
  assert.equal((await login.logIn()).status, 401, 'the right password does not help while locked');
  await login.clock.advance(60_000);
  assert.equal((await login.logIn()).status, 200);
});

test('requests that make no sense are refused by name', async () => {
  await using login = await startLoginServer();
  const refused = async (form: Record<string, string>, status: number, error: string, query = '') => {
    const answer = await login.token(form, 'cf:', query);
    assert.deepEqual([answer.status, answer.body.error], [status, error], JSON.stringify(form));
  };
  await refused({}, 400, 'invalid_request');
  await refused({ grant_type: 'magic' }, 400, 'unsupported_grant_type');
  await refused({ grant_type: 'constructor' }, 400, 'unsupported_grant_type');
  await refused({ grant_type: 'password', username: 'x' }, 400, 'invalid_request');
  await refused({ grant_type: 'password', passcode: 'x' }, 401, 'unauthorized');
  await refused({ grant_type: 'refresh_token' }, 400, 'invalid_token');
  const form = { grant_type: 'password', username: admin.email, password: admin.password };
  await refused(form, 401, 'unauthorized', `?login_hint=${encodeURIComponent('{"origin":"ldap"}')}`);
  await refused({ ...form, scope: 'made.up' }, 400, 'invalid_scope');
  const hinted = await login.token(form, 'cf:', `?login_hint=${encodeURIComponent('{"origin":"uaa"}')}`);
  assert.equal(hinted.status, 200);
  const broken = await login.call({
    method: 'POST',
    url: '/Users',
    headers: { ...(await login.bearer()), 'content-type': 'application/json' },
    payload: '{"userName":',
  });
  assert.deepEqual([broken.status, broken.body.error], [400, 'invalid_request']);
});

test('an administrator makes, finds and deletes users; others may not', async () => {
  await using login = await startLoginServer();
  const headers = await login.bearer();
  const made = await login.call({ method: 'POST', url: '/Users', headers, payload: ann });
  assert.equal(made.status, 201);
  assert.ok(!made.text.includes('password'), 'no hash in the answer');
  const again = await login.call({
    method: 'POST',
    url: '/Users',
    headers,
    payload: { ...ann, userName: 'ANN@example.com' },
  });
  assert.deepEqual([again.status, again.body.error], [409, 'scim_resource_already_exists']);
  const filter = encodeURIComponent('username eq "ann@example.com" and origin eq "uaa"');
  const found = await login.call({ method: 'GET', url: `/Users?filter=${filter}`, headers });
  assert.equal(found.body.totalResults, 1);
  const hers = await login.bearer(ann.userName, ann.password);
  const forbidden = await login.call({ method: 'GET', url: '/Users', headers: hers });
  assert.deepEqual([forbidden.status, forbidden.body.error], [403, 'insufficient_scope']);
  assert.equal((await login.call({ method: 'GET', url: `/Users/${made.body.id}`, headers: hers })).status, 200);
  const gone = await login.call({
    method: 'DELETE',
    url: `/Users/${made.body.id}`,
    headers: { ...headers, 'content-type': 'application/json' },
  });
  assert.equal(gone.status, 200);
  assert.equal((await login.logIn(ann.userName, ann.password)).status, 401);
  assert.equal((await login.call({ method: 'GET', url: '/Users' })).body.error, 'unauthorized');
});

test('a user made with an empty origin is one of ours, with a password', async () => {
  await using login = await startLoginServer();
  const payload = { ...ann, origin: '' };
  const made = await login.call({ method: 'POST', url: '/Users', headers: await login.bearer(), payload });
  assert.deepEqual([made.status, made.body.origin], [201, 'uaa']);
  assert.equal((await login.logIn(ann.userName, ann.password)).status, 200);
});

test('searches that are not of the form are refused, injections find nothing', async () => {
  await using login = await startLoginServer();
  const headers = await login.bearer();
  const search = (filter: string) =>
    login.call({ method: 'GET', url: `/Users?filter=${encodeURIComponent(filter)}`, headers });
  for (const bad of [
    'userName',
    'userName eq',
    'userName eq ann',
    'x eq "1"',
    'userName eq "a" and',
    '"userName" eq "a"',
    'userName eq "a" xor id eq "b"',
    'userName eq "a',
  ]) {
    assert.deepEqual([(await search(bad)).body.error], ['invalid_filter'], bad);
  }
  assert.equal((await search(`userName eq "x' or '1'='1"`)).body.totalResults, 0);
  assert.equal((await search(`id eq "x" or username EQ "${admin.email}"`)).body.totalResults, 1);
  assert.equal((await search('')).body.totalResults, 1);
});

test('a password is changed by its owner who knows the old one, and ends the sessions', async () => {
  await using login = await startLoginServer();
  const headers = await login.bearer();
  const { refresh_token } = (await login.logIn()).body;
  const me = (await login.call({ method: 'GET', url: '/userinfo', headers })).body.user_id;
  const change = (payload: object) => login.call({ method: 'PUT', url: `/Users/${me}/password`, headers, payload });
  assert.equal((await change({ oldPassword: 'wrong', password: 'a new password' })).status, 401);
  const short = await change({ oldPassword: admin.password, password: 'short' });
  assert.deepEqual([short.status, short.body.error], [422, 'invalid_password']);
  assert.equal((await change({ oldPassword: admin.password, password: admin.password })).status, 422);
  const done = await change({ oldPassword: admin.password, password: 'a new password' });
  assert.deepEqual(done.body, { status: 'ok', message: 'password updated' });
  assert.equal((await login.token({ grant_type: 'refresh_token', refresh_token })).status, 400);
  assert.equal((await login.logIn(admin.email, 'a new password')).status, 200);
});

test('the first administrator is made once; the very same request may be repeated', async () => {
  await using login = await startLoginServer();
  assert.equal((await login.firstAdmin(admin)).status, 200);
  assert.equal((await login.firstAdmin({ ...admin, password: 'a different one' })).status, 409);
  assert.equal((await login.firstAdmin({ email: 'eve@example.com', password: 'long enough' })).status, 409);
  assert.equal((await login.firstAdmin({ email: 'no address', password: 'long enough' })).status, 400);
  assert.equal((await login.firstAdmin({ email: 'eve@example.com', password: 'x' })).status, 422);
  assert.equal((await login.firstAdmin(admin, Math.floor(login.clock.nowMs() / 1000) - 1)).status, 401, 'expired');
  const unsigned = await login.call({ method: 'POST', url: '/internal/v1/first_admin', payload: admin });
  assert.equal(unsigned.status, 401);
});

test('clients can be looked up by those who may, without their secrets', async () => {
  await using login = await startLoginServer();
  const headers = await login.bearer();
  const found = await login.call({ method: 'GET', url: '/oauth/clients/cf', headers });
  assert.equal(found.body.client_id, 'cf');
  assert.ok(!/secret_hash|secretHash/.test(found.text));
  assert.equal((await login.call({ method: 'GET', url: '/oauth/clients/none', headers })).status, 404);
});
