import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletionJobs } from '../api/space-deletion.ts';
import { type TestApi, testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

async function start() {
  const changed: (readonly string[])[] = [];
  const events = {
    onRoutesChanged: async (apps: readonly string[]) => void changed.push(apps),
    deleteAppsOf: async () => {},
  };
  const api = await testApi({ routes, scopes: appScopes, jobs: deletionJobs, controller: { events } });
  const org: string = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const spaceIn = async (name: string): Promise<string> => {
    const relationships = { organization: { data: { guid: org } } };
    return (await api.call('POST', '/v3/spaces', { body: { name, relationships } })).body.guid;
  };
  const space = await spaceIn('dev');
  const domain: string = (await api.call('GET', `/v3/organizations/${org}/domains/default`)).body.guid;
  const create = (route: Record<string, unknown>, to = { space, domain }) =>
    api.call('POST', '/v3/routes', {
      body: { ...route, relationships: { space: { data: { guid: to.space } }, domain: { data: { guid: to.domain } } } },
    });
  return { api, org, space, spaceIn, domain, create, changed };
}

async function insertApp(api: TestApi, guid: string, space: string): Promise<void> {
  await api.controller.db
    .insertInto('apps')
    .values({ guid, name: guid, space_guid: space, stack: 'stackato' })
    .execute();
}

test('a route is created once per address and found by host and path, also when they are empty', async () => {
  const { api, create, domain } = await start();
  await using _ = api;
  const { status, body } = await create({ host: 'Demo', path: '/v1' });
  assert.equal(status, 201);
  assert.equal(body.url, 'demo.stackato.localhost/v1');
  const again = await create({ host: 'demo', path: '/v1' });
  assert.equal(
    again.body.errors[0].detail,
    "Route already exists with host 'demo' and path '/v1' for domain 'stackato.localhost'.",
  );
  assert.equal((await create({ host: 'demo' })).status, 201);
  const find = async (query: string) =>
    (await api.call('GET', `/v3/routes?domain_guids=${domain}&${query}`)).body.resources.map(
      (r: { url: string }) => r.url,
    );
  assert.deepEqual(await find('hosts=demo&paths=&per_page=1&page=1'), ['demo.stackato.localhost']);
  assert.deepEqual(await find('hosts=demo&paths=%2Fv1'), ['demo.stackato.localhost/v1']);
  assert.deepEqual(await find('hosts='), []);
  const taken = async (query: string) =>
    (await api.call('GET', `/v3/domains/${domain}/route_reservations?${query}`)).body.matching_route;
  assert.equal(await taken('host=demo&path=/v1'), true);
  assert.equal(await taken('host=demo&path=/v2'), false);
});

test("routes that would take the platform's own traffic, or that cannot be, are refused", async () => {
  const { api, create } = await start();
  await using _ = api;
  const refusal = async (route: Record<string, unknown>) => {
    const { status, body } = await create(route);
    assert.equal(status, 422, JSON.stringify(route));
    return body.errors[0].detail;
  };
  assert.match(await refusal({ host: 'api' }), /reserved system route/);
  assert.match(await refusal({ host: 'Console' }), /reserved system route/);
  assert.equal(await refusal({}), 'Missing host. Routes in shared domains must have a host defined.');
  assert.match(await refusal({ host: 'a b' }), /Host must be/);
  assert.match(await refusal({ host: 'a', path: 'x' }), /Path must begin with/);
  assert.match(await refusal({ host: 'a', port: 1234 }), /do not support ports/);
  assert.match(await refusal({ host: 'a', options: { loadbalancing: 'magic' } }), /^Options loadbalancing/);
});

test('apps are mapped, mapped again without effect, replaced and unmapped, and each change is told', async () => {
  const { api, create, space, spaceIn, changed } = await start();
  await using _ = api;
  await insertApp(api, 'app-1', space);
  await insertApp(api, 'app-2', space);
  await insertApp(api, 'stranger', await spaceIn('other'));
  const { guid } = (await create({ host: 'demo' })).body;
  const path = `/v3/routes/${guid}/destinations`;
  const mapped = await api.call('POST', path, { body: { destinations: [{ app: { guid: 'app-1' } }] } });
  assert.equal(mapped.status, 200);
  const [first] = mapped.body.destinations;
  assert.deepEqual(
    [first.app, first.port, first.protocol],
    [{ guid: 'app-1', process: { type: 'web' } }, 8080, 'http1'],
  );
  await api.call('POST', path, { body: { destinations: [{ app: { guid: 'app-1' } }] } });
  assert.equal((await api.call('GET', path)).body.destinations.length, 1);
  assert.deepEqual(changed, [['app-1'], []]);

  const elsewhere = await api.call('POST', path, { body: { destinations: [{ app: { guid: 'stranger' } }] } });
  assert.equal(elsewhere.body.errors[0].detail, 'Routes cannot be mapped to destinations in different spaces.');
  const nowhere = await api.call('POST', path, { body: { destinations: [{ app: { guid: 'none' } }] } });
  assert.match(nowhere.body.errors[0].detail, /"none" do not exist/);

  const replaced = await api.call('PATCH', path, {
    body: { destinations: [{ app: { guid: 'app-2' }, port: 9000, protocol: 'http2' }] },
  });
  assert.deepEqual(
    replaced.body.destinations.map((one: { app: { guid: string }; port: number }) => [one.app.guid, one.port]),
    [['app-2', 9000]],
  );
  assert.deepEqual(changed.at(-1), ['app-1', 'app-2']);
  const byApp = await api.call('GET', '/v3/apps/app-2/routes');
  assert.equal(byApp.body.resources[0].destinations[0].protocol, 'http2');
  const destination = replaced.body.destinations[0].guid;
  assert.equal(
    (await api.call('PATCH', `${path}/${destination}`, { body: { protocol: 'http1' } })).body.protocol,
    'http1',
  );
  assert.equal((await api.call('DELETE', `${path}/${destination}`)).status, 204);
  assert.equal((await api.call('DELETE', `${path}/${destination}`)).status, 422);
  const events = await api.controller.db
    .selectFrom('audit_events')
    .select('type')
    .where('type', 'like', '%map-route')
    .execute();
  assert.equal(events.length, 4);
});

test('unmapped routes of a space go at once, mapped ones stay; a deleted route tells its apps', async () => {
  const { api, create, space, changed } = await start();
  await using _ = api;
  await insertApp(api, 'app-1', space);
  const { guid } = (await create({ host: 'mapped' })).body;
  await create({ host: 'orphan' });
  await api.call('POST', `/v3/routes/${guid}/destinations`, { body: { destinations: [{ app: { guid: 'app-1' } }] } });
  assert.equal((await api.call('DELETE', `/v3/spaces/${space}/routes`)).status, 422);
  assert.equal((await api.call('DELETE', `/v3/spaces/${space}/routes?unmapped=true`)).status, 202);
  await api.jobs.idle();
  const left = (await api.call('GET', '/v3/routes')).body.resources;
  assert.deepEqual(
    left.map((route: { host: string }) => route.host),
    ['mapped'],
  );
  assert.equal((await api.call('DELETE', `/v3/routes/${guid}`)).status, 202);
  assert.deepEqual(changed.at(-1), ['app-1']);
});

test('a private domain serves its own organization, and others once it is shared', async () => {
  const { api, org, create, space } = await start();
  await using _ = api;
  const other = (await api.call('POST', '/v3/organizations', { body: { name: 'other' } })).body.guid;
  const relationships = { organization: { data: { guid: other } } };
  const made = await api.call('POST', '/v3/domains', { body: { name: 'Private.Example', relationships } });
  assert.equal(made.body.name, 'private.example');
  const again = await api.call('POST', '/v3/domains', { body: { name: 'private.example', relationships } });
  assert.equal(again.body.errors[0].detail, 'The domain name "private.example" is already in use');
  const below = await api.call('POST', '/v3/domains', {
    body: { name: 'a.private.example', relationships: { organization: { data: { guid: org } } } },
  });
  assert.match(below.body.errors[0].detail, /already reserved by another domain/);

  const domain = made.body.guid;
  const refused = await create({ host: 'x' }, { space, domain });
  assert.equal(
    refused.body.errors[0].detail,
    "Invalid domain. Domain 'private.example' is not available in organization 'acme'.",
  );
  const share = `/v3/domains/${domain}/relationships/shared_organizations`;
  assert.deepEqual((await api.call('POST', share, { body: { data: [{ guid: org }] } })).body.data, [{ guid: org }]);
  assert.equal((await create({ host: '' }, { space, domain })).status, 201);
  assert.equal((await api.call('GET', `/v3/organizations/${org}/domains`)).body.resources.length, 2);
  assert.equal((await api.call('DELETE', `${share}/${org}`)).status, 422, 'it has a route there');
  assert.equal((await api.call('DELETE', `/v3/domains/${domain}`)).status, 202);
  assert.equal((await api.call('GET', `/v3/domains/${domain}`)).body.errors[0].detail, 'Domain not found');
  const system = (await api.call('GET', `/v3/organizations/${org}/domains/default`)).body.guid;
  assert.equal((await api.call('DELETE', `/v3/domains/${system}`)).status, 422);
});

test('the routes of a quota are counted', async () => {
  const { api, create } = await start();
  await using _ = api;
  await api.controller.db.updateTable('organization_quotas').set({ total_routes: 1 }).execute();
  assert.equal((await create({ host: 'one' })).status, 201);
  assert.match(
    (await create({ host: 'two' })).body.errors[0].detail,
    /^Routes quota exceeded for organization 'acme'\. It may have 1 and has 1;/,
  );
});
