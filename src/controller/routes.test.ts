import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApi } from './api/test-controller.ts';
import { appSideRoutes } from './app-runtime.ts';
import type { AppServices } from './app-services.ts';
import { controllerRoutes } from './routes.ts';
import { appScopes } from './store/app-scope.ts';
import { organizationScopes } from './store/scope.ts';

// Nothing here gets as far as what the app side works with.
const allRoutes = [...controllerRoutes, ...appSideRoutes({} as AppServices)];
const scopes = { ...organizationScopes, ...appScopes };
const PUBLIC = ['GET /', 'GET /v3', 'GET /v3/info', 'GET /v2/info'];

test('every route says who may call it, and only the first documents are public', () => {
  const open: string[] = [];
  for (const route of allRoutes) {
    const name = `${route.method} ${route.path}`;
    const { permission } = route;
    assert.ok(permission, name);
    if (permission.kind === 'public') open.push(name);
    if (permission.kind === 'resource' || permission.kind === 'related') assert.ok(scopes[permission.of], name);
    if (permission.kind === 'resource')
      assert.match(route.path, new RegExp(`:${permission.param ?? 'guid'}(/|$)`), name);
  }
  assert.deepEqual(open.sort(), PUBLIC.sort());
});

test('no route but the public ones answers without a token', async () => {
  await using api = await testApi({ routes: allRoutes, scopes });
  for (const { method, path } of allRoutes) {
    const { status } = await api.call(method, path.replace(/:\w+/g, 'x'), { as: '' });
    const isPublic = PUBLIC.includes(`${method} ${path}`);
    assert.equal(status, isPublic ? 200 : 401, `${method} ${path}`);
  }
});

test('a stranger gets 403 or 404, never content, from whatever belongs to somebody', async () => {
  await using api = await testApi({ routes: allRoutes, scopes });
  for (const { method, path, permission } of allRoutes) {
    if (permission.kind === 'public' || permission.kind === 'authenticated' || permission.kind === 'related') continue;
    const { status } = await api.call(method, path.replace(/:\w+/g, 'x'), { as: 'alice', body: {} });
    assert.ok([401, 403, 404, 422].includes(status), `${method} ${path} answered ${status}`);
  }
});

test('the OpenAPI document describes every route', async () => {
  await using api = await testApi({ routes: allRoutes, scopes });
  const { status, body } = await api.call('GET', '/stackato/v1/openapi.json', { as: '' });
  assert.equal(status, 200);
  assert.match(body.openapi, /^3\./);
  for (const { method, path, permission } of allRoutes) {
    if (permission.kind === 'signed' || permission.kind === 'bulk') continue;
    const operation = body.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    assert.ok(operation?.summary, `${method} ${path}`);
  }
});

test('the root document leads where the client came from', async () => {
  await using api = await testApi({ routes: allRoutes, scopes });
  const root = async (headers: Record<string, string>) => (await api.call('GET', '/', { as: '', headers })).body.links;
  const plain = await root({});
  assert.equal(plain.self.href, 'http://api.stackato.localhost');
  assert.equal(plain.cloud_controller_v3.meta.version, '3.223.0');
  const tls = await root({ 'x-forwarded-proto': 'https', host: 'api.stackato.localhost:8443' });
  assert.equal(tls.login.href, 'https://login.stackato.localhost:8443');
  assert.equal(tls.logging.href, 'wss://doppler.stackato.localhost:8443');
  assert.equal(tls.app_ssh.href, 'ssh.stackato.localhost:2222');
  const strange = await root({ host: 'evil.example' });
  assert.equal(strange.self.href, 'http://api.stackato.localhost', 'links never lead to a host that is not ours');
  const info = await api.call('GET', '/v2/info', { as: '' });
  assert.equal(info.body.token_endpoint, 'http://uaa.stackato.localhost');
});
