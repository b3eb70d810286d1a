import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { signPath } from '../../platform/secret-box.ts';
import { testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

const PATH = '/internal/v1/domain_rename';

async function start() {
  const changed: (readonly string[])[] = [];
  const events = {
    onRoutesChanged: async (apps: readonly string[]) => void changed.push(apps),
    deleteAppsOf: async () => {},
  };
  const api = await testApi({ routes, scopes: appScopes, controller: { events } });
  const org: string = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const relationships = { organization: { data: { guid: org } } };
  const space: string = (await api.call('POST', '/v3/spaces', { body: { name: 'dev', relationships } })).body.guid;
  const domain: string = (await api.call('GET', `/v3/organizations/${org}/domains/default`)).body.guid;
  const { db, signingKey } = api.controller;
  await db.insertInto('apps').values({ guid: 'shop', name: 'shop', space_guid: space, stack: 'stackato' }).execute();
  const addRoute = async (host: string, onDomain = domain) => {
    const to = { space: { data: { guid: space } }, domain: { data: { guid: onDomain } } };
    const { body } = await api.call('POST', '/v3/routes', { body: { host, relationships: to } });
    await api.call('POST', `/v3/routes/${body.guid}/destinations`, {
      body: { destinations: [{ app: { guid: 'shop' } }] },
    });
  };
  const addDomain = async (name: string, owner?: string): Promise<string> => {
    const owned = owner === undefined ? {} : { relationships: { organization: { data: { guid: owner } } } };
    return (await api.call('POST', '/v3/domains', { body: { name, ...owned } })).body.guid;
  };
  const rename = (from: string, to: string, keeps = false) => {
    const expiresAtS = Math.floor(systemClock.nowMs() / 1000) + 60;
    const path = signPath(signingKey, { method: 'POST', path: PATH, expiresAtS });
    return api.call('POST', path, { as: '', body: { from, to, keeps } });
  };
  const urls = async (): Promise<string[]> =>
    (await api.call('GET', '/v3/routes')).body.resources.map((route: { url: string }) => route.url).sort();
  return { api, org, domain, addRoute, addDomain, rename, urls, changed };
}

test("apps' addresses go along with the platform's domain, and running instances are told, also the second time", async () => {
  const { api, domain, addRoute, rename, urls, changed } = await start();
  await using _ = api;
  await addRoute('shop');
  changed.length = 0;
  assert.deepEqual((await rename('stackato.localhost', 'new.test')).body, { apps: 1, stayed: [] });
  assert.deepEqual(await urls(), ['shop.new.test']);
  assert.deepEqual((await rename('stackato.localhost', 'new.test')).body, { apps: 1, stayed: [] });
  assert.deepEqual(changed, [['shop'], ['shop']]);
  assert.equal((await api.call('GET', `/v3/domains/${domain}`)).body.name, 'new.test');
});

test('a domain that a starting controller made meanwhile is taken over', async () => {
  const { api, domain, addRoute, addDomain, rename, urls } = await start();
  await using _ = api;
  await addRoute('shop');
  await addDomain('new.test');
  assert.equal((await rename('stackato.localhost', 'new.test')).status, 200);
  assert.deepEqual(await urls(), ['shop.new.test']);
  assert.equal((await api.call('GET', '/v3/domains')).body.resources.length, 1);
  assert.equal((await api.call('GET', `/v3/domains/${domain}`)).body.name, 'new.test');
});

test('addresses stay on the old domain when that is asked for, or when theirs is taken', async () => {
  const { api, addRoute, addDomain, rename, urls } = await start();
  await using _ = api;
  await addRoute('shop');
  await rename('stackato.localhost', 'new.test', true);
  assert.deepEqual(await urls(), ['shop.stackato.localhost']);
  const third = await addDomain('third.test');
  await addRoute('shop', third);
  await addRoute('other', third);
  assert.deepEqual((await rename('stackato.localhost', 'third.test')).body.stayed, ['shop.stackato.localhost']);
  assert.deepEqual(await urls(), ['other.third.test', 'shop.stackato.localhost', 'shop.third.test']);
});

test('a domain of an organization, or one with routes at the platform’s hosts, is refused and nothing changes', async () => {
  const { api, org, addRoute, addDomain, rename, urls } = await start();
  await using _ = api;
  await addRoute('shop');
  await addDomain('theirs.test', org);
  const taken = await addDomain('taken.test');
  await addRoute('api', taken);
  const before = await urls();
  for (const to of ['theirs.test', 'sub.theirs.test', 'taken.test']) {
    assert.equal((await rename('stackato.localhost', to)).status, 422, to);
  }
  assert.deepEqual(await urls(), before);
});

test('only who has the signing key may rename', async () => {
  const { api } = await start();
  await using _ = api;
  const answer = await api.call('POST', PATH, { body: { from: 'a.test', to: 'b.test', keeps: false } });
  assert.ok(answer.status === 401 || answer.status === 403 || answer.status === 404, `${answer.status}`);
});
