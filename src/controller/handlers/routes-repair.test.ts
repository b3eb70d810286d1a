import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { signPath } from '../../platform/secret-box.ts';
import { testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

const PATH = '/internal/v1/routes_repair';

test('every app with routes is told of them, and routes at hosts of the platform are named', async () => {
  const told: string[] = [];
  const events = {
    onRoutesChanged: async (apps: readonly string[]) => void told.push(...apps),
    deleteAppsOf: async () => {},
  };
  await using api = await testApi({ routes, scopes: appScopes, controller: { events } });
  const org = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const inOrg = { organization: { data: { guid: org } } };
  const space = (await api.call('POST', '/v3/spaces', { body: { name: 'dev', relationships: inOrg } })).body.guid;
  const domain = (await api.call('GET', `/v3/organizations/${org}/domains/default`)).body.guid;
  const { db, signingKey } = api.controller;
  const app = (guid: string) => ({ guid, name: guid, space_guid: space, stack: 'stackato' });
  await db
    .insertInto('apps')
    .values([app('shop'), app('idle')])
    .execute();
  const at = { space: { data: { guid: space } }, domain: { data: { guid: domain } } };
  const { body: route } = await api.call('POST', '/v3/routes', { body: { host: 'shop', relationships: at } });
  const destinations = [{ app: { guid: 'shop' } }];
  await api.call('POST', `/v3/routes/${route.guid}/destinations`, { body: { destinations } });
  told.length = 0;

  const expiresAtS = Math.floor(systemClock.nowMs() / 1000) + 60;
  const repair = () => api.call('POST', signPath(signingKey, { method: 'POST', path: PATH, expiresAtS }), { as: '' });
  assert.deepEqual((await repair()).body, { apps: 1, reserved: [] });
  assert.deepEqual(told, ['shop']);
  await db.updateTable('routes').set({ host: 'api' }).where('guid', '=', route.guid).execute();
  assert.deepEqual((await repair()).body.reserved, ['api.stackato.localhost']);
  assert.equal((await api.call('POST', PATH)).status, 401);
});
