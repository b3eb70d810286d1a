import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { Revocations } from '../platform/revocations.ts';
import { tokenVerifier } from '../platform/token-verifier.ts';
import { buildServer } from './server.ts';
import { findClient } from './store/clients.ts';
import { revokeTokensOf } from './store/revocations.ts';
import { findUser } from './store/users.ts';
import { startLoginServer } from './testing/login-server.ts';

const ann = { userName: 'ann@example.com', password: 'another good one', emails: [{ value: 'ann@example.com' }] };

/** A server that answers each path with a JSON value. */
async function listen(answer: (url: string) => unknown) {
  const server = createServer((request, response) => response.end(JSON.stringify(answer(request.url ?? ''))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A login server that listens, with a user and a verifier as the API has one. */
async function open() {
  const login = await startLoginServer();
  await login.clock.advance(Date.now() - login.clock.nowMs());
  const server = buildServer(login.aok);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  const { clock, aok } = login;
  const parts = { loginServer: address, signingKey: aok.signingKey, clock, log: silentLog };
  const verify = tokenVerifier(`${address}/token_keys`, new Revocations(parts));
  const boss = await login.bearer();
  const id = (await login.call({ method: 'POST', url: '/Users', headers: boss, payload: ann })).body.id;
  const isGood = async ({ authorization }: { authorization: string }) => {
    await clock.advance(5000);
    return (await verify(authorization)) !== 'invalid';
  };
  return {
    ...{ login, boss, id, isGood, address },
    ann: () => login.bearer(ann.userName, ann.password),
    close: () => server.close(),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await login[Symbol.asyncDispose]();
    },
  };
}

test('the token of a deleted user is refused, by the login server at once, by the API within seconds', async () => {
  await using world = await open();
  const headers = await world.ann();
  assert.equal(await world.isGood(headers), true);
  await world.login.call({ method: 'DELETE', url: `/Users/${world.id}`, headers: world.boss });
  const own = await world.login.call({ method: 'GET', url: `/Users/${world.id}`, headers });
  assert.deepEqual([own.status, own.body.error], [401, 'invalid_token']);
  assert.equal(await world.isGood(headers), false);
  assert.equal(await world.isGood(world.boss), true, 'nobody else is');
});

test('a new password ends what was begun with the old one, and nothing later', async () => {
  await using world = await open();
  const before = await world.ann();
  const url = `/Users/${world.id}/password`;
  const payload = { oldPassword: ann.password, password: 'a third good one' };
  assert.equal((await world.login.call({ method: 'PUT', url, headers: before, payload })).status, 200);
  const after = await world.login.bearer(ann.userName, payload.password);
  assert.deepEqual([await world.isGood(before), await world.isGood(after)], [false, true]);
});

test('a log-out ends its own token; the list is told to holders of the signing key alone', async () => {
  await using world = await open();
  const [one, two] = [await world.ann(), await world.ann()];
  const { jti } = JSON.parse(Buffer.from(one.authorization.split('.')[1] ?? '', 'base64url').toString('utf8'));
  await world.login.call({ method: 'DELETE', url: `/oauth/token/revoke/${jti}`, headers: one });
  assert.deepEqual([await world.isGood(one), await world.isGood(two)], [false, true]);
  for (const headers of [world.boss, {}]) {
    const { status } = await world.login.call({ method: 'GET', url: '/internal/v1/revocations', headers });
    assert.equal(status, 401);
  }
});

test('while the login server is away, what was read last holds for two minutes; then no token can be judged', async () => {
  await using world = await open();
  const headers = await world.ann();
  await world.login.call({ method: 'DELETE', url: `/Users/${world.id}`, headers: world.boss });
  assert.equal(await world.isGood(headers), false);
  await world.close();
  assert.deepEqual([await world.isGood(headers), await world.isGood(world.boss)], [false, true]);
  await world.login.clock.advance(100_000);
  assert.equal(await world.isGood(world.boss), true);
  await assert.rejects(world.isGood(world.boss), /list of revoked tokens cannot be read/);
});

test('a clock that is set back does not keep an old list young, and nothing is judged before the first list', async () => {
  const [start, asked] = [1_700_000_000_000, [] as string[]];
  let nowMs = start;
  let users = [{ id: 'ann', generation: 1 }];
  await using server = await listen((url) => {
    asked.push(url);
    return { tokens: [], users };
  });
  const clock = { ...systemClock, nowMs: () => nowMs };
  const parts = { signingKey: Buffer.alloc(32, 7).toString('base64'), clock, log: silentLog };
  const revocations = new Revocations({ ...parts, loginServer: server.address });
  const judge = (generation: number) => revocations.isRevoked({ id: 'j', userId: 'ann', generation });
  assert.deepEqual(
    await Promise.all([judge(0), judge(0), judge(1)]),
    [true, true, false],
    'also those that come at once',
  );
  assert.equal(asked.length, 1, 'read once for all of them');
  users = [{ id: 'ann', generation: 2 }];
  assert.equal(await judge(1), false);
  nowMs = start - 3_600_000;
  assert.equal(await judge(1), true);
  const lost = new Revocations({ ...parts, loginServer: 'http://127.0.0.1:1' });
  await assert.rejects(lost.isRevoked({ id: 'j', userId: 'ann', generation: 1 }), /cannot be read/);
});

test('a login that began before a new password was set gets nothing', async () => {
  await using world = await open();
  const { aok, token } = world.login;
  const search = [[{ field: 'id' as const, value: world.id }]];
  const user = await findUser(aok.db, search);
  assert.ok(user);
  await aok.db.transaction().execute((tx) => revokeTokensOf(tx, world.id, aok.clock.nowMs()));
  const client = await findClient(aok.db, 'cf');
  assert.ok(client);
  await assert.rejects(aok.grants.authorize(client, user, 'http://localhost'), /log in again/);
  const now = await token({ grant_type: 'password', username: ann.userName, password: ann.password });
  assert.equal(now.status, 200);
});

test('what would have expired anyway is forgotten', async () => {
  await using world = await open();
  await world.login.call({ method: 'DELETE', url: `/Users/${world.id}`, headers: world.boss });
  const rows = () => world.login.aok.db.selectFrom('revoked_users').selectAll().execute();
  assert.equal((await rows()).length, 1);
  await world.login.clock.advance(1_200_001 + 86_400_000);
  await world.login.aok.prune();
  assert.deepEqual(await rows(), []);
});
