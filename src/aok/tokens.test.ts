import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { tokenVerifier } from '../platform/token-verifier.ts';
import { buildServer } from './server.ts';
import { admin, startLoginServer } from './testing/login-server.ts';

test('a password gives a token with every claim that clients and components read', async () => {
  await using login = await startLoginServer();
  const { status, body } = await login.logIn();
  assert.equal(status, 200);
  assert.deepEqual([body.token_type, body.expires_in], ['bearer', 1199]);
  const claims = decodeJwt(body.access_token);
  assert.equal(decodeProtectedHeader(body.access_token).alg, 'RS256');
  assert.equal(claims.user_name, admin.email);
  assert.equal(claims.sub, claims.user_id);
  assert.equal(claims.origin, 'uaa');
  assert.equal(claims.zid, 'uaa');
  assert.equal(claims.iss, 'https://uaa.stackato.localhost/oauth/token');
  assert.equal(claims.jti, body.jti);
  assert.equal(claims.client_id, 'cf');
  assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), 1200);
  for (const resource of ['cloud_controller', 'cf', 'openid']) assert.ok((claims.aud as string[]).includes(resource));
  for (const scope of ['cloud_controller.admin', 'cloud_controller.write', 'scim.write', 'openid']) {
    assert.ok((claims.scope as string[]).includes(scope), scope);
  }
});

test('published keys verify the tokens, also for the platform verifier, also after a rotation', async () => {
  await using login = await startLoginServer();
  await login.clock.advance(Date.now() - login.clock.nowMs());
  const server = buildServer(login.aok);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  try {
    const old = (await login.logIn()).body.access_token;
    await login.aok.keys.rotate();
    const fresh = (await login.logIn()).body.access_token;
    assert.notEqual(decodeProtectedHeader(old).kid, decodeProtectedHeader(fresh).kid);
    const verify = tokenVerifier(`${address}/token_keys`);
    for (const token of [old, fresh]) {
      const claims = await verify(`bearer ${token}`);
      assert.ok(typeof claims === 'object');
      assert.equal(claims.userName, admin.email);
      await jwtVerify(token, createRemoteJWKSet(new URL(`${address}/token_keys`)), { audience: 'cloud_controller' });
    }
    assert.equal(await verify('bearer nonsense'), 'invalid');
    const { body } = await login.call({ method: 'GET', url: '/token_key' });
    assert.match(String(body.value), /^-----BEGIN PUBLIC KEY-----/);
    assert.equal(body.d, undefined, 'the private part stays here');
  } finally {
    await server.close();
  }
});

test('a second login server on the same database signs with the same key', async () => {
  await using login = await startLoginServer();
  const before = await login.aok.keys.signing();
  await login.aok.prepare();
  assert.equal((await login.aok.keys.signing()).kid, before.kid);
  const row = await login.aok.db.selectFrom('signing_keys').selectAll().execute();
  assert.equal(row.length, 1);
  assert.match(row[0]?.sealed_key ?? '', /^v1\./);
});

test('a refresh token is replaced by each use, and its reuse after the grace ends the session', async () => {
  await using login = await startLoginServer();
  const refresh = (token: string) => login.token({ grant_type: 'refresh_token', refresh_token: token });
  const first = (await login.logIn()).body.refresh_token;
  const second = await refresh(first);
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, first);
  await login.clock.advance(59_000);
  assert.equal((await refresh(first)).status, 200, 'whoever refreshed at the same time may go on');
  await login.clock.advance(2_000);
  const reused = await refresh(first);
  assert.deepEqual([reused.status, reused.body.error], [400, 'invalid_token']);
  assert.equal((await refresh(second.body.refresh_token)).status, 400, 'its successors are gone too');
});

test('refresh tokens are stored hashed, belong to their client, and expire', async () => {
  await using login = await startLoginServer({ refreshTokenS: 100 });
  const { refresh_token } = (await login.logIn()).body;
  const rows = await login.aok.db.selectFrom('refresh_tokens').selectAll().execute();
  assert.ok(!JSON.stringify(rows).includes(refresh_token));
  const grant = { grant_type: 'refresh_token', refresh_token };
  assert.equal((await login.token(grant, 'ssh-proxy:ssh secret')).body.error, 'invalid_client');
  await login.clock.advance(101_000);
  assert.equal((await login.token(grant)).status, 400);
  await login.aok.prune();
  assert.equal((await login.aok.db.selectFrom('refresh_tokens').selectAll().execute()).length, 0);
});

test('revoking an access token ends its session', async () => {
  await using login = await startLoginServer();
  const { access_token, refresh_token, jti } = (await login.logIn()).body;
  const headers = { authorization: `Bearer ${access_token}` };
  assert.equal((await login.call({ method: 'DELETE', url: `/oauth/token/revoke/${jti}`, headers })).status, 200);
  assert.equal((await login.token({ grant_type: 'refresh_token', refresh_token })).status, 400);
  const again = await login.call({ method: 'GET', url: '/userinfo', headers });
  assert.deepEqual([again.status, again.body.error], [401, 'invalid_token']);
});

test('a client speaks for itself with its own authorities only', async () => {
  await using login = await startLoginServer();
  const form = { grant_type: 'client_credentials' };
  const { status, body } = await login.token(form, 'cloud_controller:cc secret');
  assert.equal(status, 200);
  const claims = decodeJwt(body.access_token);
  assert.deepEqual(claims.scope, ['scim.read', 'scim.userids', 'uaa.resource']);
  assert.equal(claims.user_name, undefined);
  const inBody = await login.call({
    method: 'POST',
    url: '/oauth/token',
    payload: { ...form, client_id: 'cloud_controller', client_secret: 'cc secret' },
  });
  assert.equal(inBody.status, 200);
  const greedy = await login.token({ ...form, scope: 'cloud_controller.admin' }, 'cloud_controller:cc secret');
  assert.equal(greedy.body.error, 'invalid_scope');
  for (const client of ['cloud_controller:wrong', 'nobody:x', 'cf:x']) {
    const refused = await login.token(form, client);
    assert.deepEqual([refused.status, refused.body.error], [401, 'invalid_client'], client);
  }
});

test('a code for ssh comes by redirect, works once, and for its client only', async () => {
  await using login = await startLoginServer();
  const headers = await login.bearer();
  const code = async () => {
    const url = '/oauth/authorize?response_type=code&client_id=ssh-proxy';
    const answer = await login.call({ method: 'GET', url, headers });
    assert.equal(answer.status, 302);
    return new URL(String(answer.headers.location)).searchParams.get('code') ?? '';
  };
  const exchange = (value: string, client = 'ssh-proxy:ssh secret') =>
    login.token({ grant_type: 'authorization_code', code: value }, client);
  const once = await code();
  const claims = decodeJwt((await exchange(once)).body.access_token);
  assert.equal(claims.client_id, 'ssh-proxy');
  assert.equal(claims.user_name, admin.email);
  assert.equal((await exchange(once)).body.error, 'invalid_grant');
  const late = await code();
  await login.clock.advance(300_001);
  assert.equal((await exchange(late)).body.error, 'invalid_grant');
  const evil = await login.call({
    method: 'GET',
    url: '/oauth/authorize?response_type=code&client_id=ssh-proxy&redirect_uri=https://evil.example/',
    headers: await login.bearer(),
  });
  assert.equal(evil.status, 400);
});

test('a token can be checked by a resource server', async () => {
  await using login = await startLoginServer();
  const check = async (token: string, client: string) =>
    login.call({
      method: 'POST',
      url: '/check_token',
      headers: { authorization: `Basic ${Buffer.from(client).toString('base64')}` },
      payload: { token },
    });
  const { access_token } = (await login.logIn()).body;
  assert.equal((await check(access_token, 'cloud_controller:cc secret')).body.user_name, admin.email);
  assert.equal((await check(access_token, 'ssh-proxy:ssh secret')).status, 403);
  await login.clock.advance(1_201_000);
  const expired = await check(access_token, 'cloud_controller:cc secret');
  assert.deepEqual([expired.status, expired.body.error], [400, 'invalid_token']);
});
