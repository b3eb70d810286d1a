import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify from 'fastify';
import { ok } from './reply.ts';
import { route } from './route.ts';
import { testApi } from './test-controller.ts';
import { measureTraffic } from './traffic.ts';

const routes = [
  route({
    method: 'GET',
    path: '/v3/things',
    summary: 'Things',
    permission: { kind: 'authenticated' },
    handler: async ({ caller, warn }) => {
      warn('mind, the gap');
      return ok({ user: caller.userGuid });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/things',
    summary: 'Delete things',
    permission: { kind: 'admin' },
    handler: async () => {
      throw new Error('a bug with a secret');
    },
  }),
  route({
    method: 'POST',
    path: '/v3/things',
    summary: 'Add a thing',
    permission: { kind: 'authenticated' },
    handler: async ({ body }) => ok({ body }),
  }),
];

test('a missing token, a wrong token and too small a scope are told apart', async () => {
  await using api = await testApi({ routes });
  const answer = async (as: string, method: 'GET' | 'DELETE' = 'GET') => {
    const { status, body } = await api.call(method, '/v3/things', { as });
    return [status, body.errors?.[0]?.code, body.errors?.[0]?.title];
  };
  assert.deepEqual(await answer(''), [401, 10002, 'CF-NotAuthenticated']);
  assert.deepEqual(await answer('invalid'), [401, 1000, 'CF-InvalidAuthToken']);
  assert.deepEqual(await answer('alice', 'DELETE'), [403, 10003, 'CF-NotAuthorized']);
  assert.deepEqual(await answer('alice'), [200, undefined, undefined]);
  const user = await api.controller.db.selectFrom('users').selectAll().where('guid', '=', 'alice-guid').execute();
  assert.equal(user[0]?.username, 'alice', 'the first valid token made a user');
});

test('every answer has a request id, and a bug becomes a 500 that names only the id', async () => {
  await using api = await testApi({ routes });
  const { headers } = await api.call('GET', '/v3/things', { headers: { 'x-vcap-request-id': 'abc' } });
  assert.match(String(headers['x-vcap-request-id']), /^abc::[0-9a-f-]{36}$/);
  assert.equal(headers['x-cf-warnings'], 'mind%2C%20the%20gap');
  const bug = await api.call('DELETE', '/v3/things');
  assert.equal(bug.status, 500);
  assert.equal(bug.body.errors[0].code, 10001);
  assert.ok(bug.body.errors[0].detail.includes(String(bug.headers['x-vcap-request-id'])));
  assert.ok(!JSON.stringify(bug.body).includes('secret'));
});

test('unknown paths, bad JSON, bad URLs and odd slashes are answered as the API does', async () => {
  await using api = await testApi({ routes });
  const unknown = await api.call('GET', '/v3/nothing', { as: '' });
  assert.deepEqual(unknown.body.errors, [{ code: 10000, title: 'CF-NotFound', detail: 'Unknown request' }]);
  const bad = await api.call('POST', '/v3/things', { body: '{"a":' });
  assert.deepEqual([bad.status, bad.body.errors[0].code], [400, 1001]);
  const poisoned = await api.call('POST', '/v3/things', { body: '{"__proto__":{"x":1}}' });
  assert.deepEqual([poisoned.status, poisoned.body.errors[0].code], [400, 1001]);
  assert.equal((await api.call('POST', '/v3/things', { body: '' })).status, 200);
  assert.equal((await api.call('GET', '//v3//things/')).status, 200);
  assert.equal((await api.call('HEAD', '/v3/things')).status, 200);
  assert.equal((await api.call('GET', '/v3/%E0%A4%A')).status, 400);
  const large = await api.call('POST', '/v3/things', { body: JSON.stringify('x'.repeat(5_000_000)) });
  assert.deepEqual([large.status, large.body.errors[0].code], [413, 160001]);
});

test('when the login server cannot be reached the answer is 503, not a wrong token', async () => {
  const verifyToken = () => Promise.reject(new Error('connect ECONNREFUSED'));
  await using api = await testApi({ routes, controller: { verifyToken } });
  const { status, body } = await api.call('GET', '/v3/things');
  assert.deepEqual([status, body.errors[0].title], [503, 'CF-ServiceUnavailable']);
});

test('requests are counted by status', async () => {
  const server = fastify();
  server.get('/', async () => 'hello');
  const traffic = measureTraffic(server);
  for (const url of ['/', '/', '/none']) await server.inject({ url });
  assert.deepEqual(traffic, { requests: { outstanding: 0, completed: 3 }, http_status: { 200: 2, 404: 1 } });
});
