import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletionJobs } from '../api/space-deletion.ts';
import { type TestApi, testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

const start = (controller = {}) => testApi({ routes, scopes: appScopes, jobs: deletionJobs, controller });

async function organization(api: TestApi, name = 'acme'): Promise<string> {
  return (await api.call('POST', '/v3/organizations', { body: { name } })).body.guid;
}

const inOrganization = (guid: string) => ({ organization: { data: { guid } } });

test('a space is created in an organization, its name being unique there', async () => {
  await using api = await start();
  const org = await organization(api);
  const other = await organization(api, 'other');
  const body = { name: 'dev', relationships: inOrganization(org) };
  const created = await api.call('POST', '/v3/spaces', { body });
  assert.equal(created.status, 201);
  assert.deepEqual(created.body.relationships.organization, { data: { guid: org } });
  const again = await api.call('POST', '/v3/spaces', { body: { ...body, name: 'DEV' } });
  assert.deepEqual([again.status, again.body.errors[0].detail], [422, 'Name must be unique per organization']);
  const elsewhere = await api.call('POST', '/v3/spaces', { body: { ...body, relationships: inOrganization(other) } });
  assert.equal(elsewhere.status, 201);
  const nowhere = await api.call('POST', '/v3/spaces', { body: { ...body, relationships: inOrganization('none') } });
  assert.equal(
    nowhere.body.errors[0].detail,
    'Invalid organization. Ensure the organization exists and you have access to it.',
  );
  const list = await api.call('GET', `/v3/spaces?organization_guids=${org}&include=organization`);
  assert.equal(list.body.resources.length, 1);
  assert.equal(list.body.included.organizations[0].name, 'acme');
});

test('roles decide who sees, manages and deletes a space', async () => {
  await using api = await start();
  const org = await organization(api);
  const space = (await api.call('POST', '/v3/spaces', { body: { name: 'dev', relationships: inOrganization(org) } }))
    .body;
  const give = async (user: string, type: string, as = 'admin') => {
    const where = type.startsWith('space_') ? { space: { data: { guid: space.guid } } } : inOrganization(org);
    const relationships = { user: { data: { username: user } }, ...where };
    return api.call('POST', '/v3/roles', { as, body: { type, relationships } });
  };
  for (const name of ['mona', 'dev', 'out']) await api.call('GET', '/v3/organizations', { as: name });

  const early = await give('dev', 'space_developer');
  assert.equal(
    early.body.errors[0].detail,
    "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
  );
  assert.equal(
    (await give('nobody', 'organization_user')).body.errors[0].detail,
    "No user exists with the username 'nobody'.",
  );
  assert.equal((await give('mona', 'organization_manager')).status, 201);
  assert.equal((await give('dev', 'organization_user', 'mona')).status, 201, 'an organization manager adds users');
  assert.equal((await give('dev', 'space_developer', 'mona')).status, 201);
  const twice = await give('dev', 'space_developer');
  assert.equal(twice.body.errors[0].detail, "User 'dev' already has 'space_developer' role in space 'dev'.");
  assert.equal((await give('out', 'organization_user', 'dev')).status, 403, 'a developer adds nobody');
  assert.equal((await give('out', 'organization_user', 'out')).status, 422, 'and who sees nothing learns nothing');

  const path = `/v3/spaces/${space.guid}`;
  assert.equal((await api.call('GET', path, { as: 'dev' })).status, 200);
  assert.equal((await api.call('GET', path, { as: 'out' })).status, 404);
  assert.equal((await api.call('PATCH', path, { as: 'dev', body: { name: 'x' } })).status, 403);
  assert.equal((await api.call('PATCH', path, { as: 'mona', body: { name: 'x' } })).status, 200);
  assert.equal((await api.call('GET', '/v3/spaces', { as: 'dev' })).body.pagination.total_results, 1);
  assert.equal((await api.call('GET', '/v3/spaces', { as: 'out' })).body.pagination.total_results, 0);

  const roles = await api.call('GET', `/v3/roles?space_guids=${space.guid}&include=user`, { as: 'dev' });
  assert.equal(roles.body.resources[0].relationships.organization.data, null);
  assert.equal(roles.body.included.users[0].username, 'dev');
  const own = (await api.call('GET', `/v3/roles?user_guids=dev-guid&types=organization_user`)).body.resources[0];
  const kept = await api.call('DELETE', `/v3/roles/${own.guid}`);
  assert.equal(kept.status, 422, 'space roles go first');
  const gone = await api.call('DELETE', `/v3/roles/${roles.body.resources[0].guid}`, { as: 'mona' });
  assert.equal(gone.status, 202);
  const job = await api.call('GET', String(gone.headers.location).replace('http://api.stackato.localhost', ''));
  assert.equal(job.body.state, 'COMPLETE');
  assert.equal((await api.call('GET', path, { as: 'dev' })).status, 404, 'a role taken away is gone at once');
});

test('deleting an organization deletes its spaces, apps first, and its own domains', async () => {
  const emptied: string[] = [];
  const events = { onRoutesChanged: async () => {}, deleteAppsOf: async (guid: string) => void emptied.push(guid) };
  await using api = await start({ events });
  const org = await organization(api);
  const spaces: string[] = [];
  for (const name of ['a', 'b']) {
    spaces.push(
      (await api.call('POST', '/v3/spaces', { body: { name, relationships: inOrganization(org) } })).body.guid,
    );
  }
  await api.call('POST', '/v3/domains', { body: { name: 'acme.example', relationships: inOrganization(org) } });
  const { status } = await api.call('DELETE', `/v3/organizations/${org}`);
  assert.equal(status, 202);
  await api.jobs.idle();
  assert.deepEqual(emptied, spaces);
  assert.equal((await api.call('GET', `/v3/organizations/${org}`)).status, 404);
  assert.equal((await api.call('GET', '/v3/spaces')).body.pagination.total_results, 0);
  assert.equal((await api.call('GET', '/v3/domains?names=acme.example')).body.pagination.total_results, 0);
});

test('users are learned from the login server when an admin asks for a name', async () => {
  const users = {
    findByNames: async (names: readonly string[]) =>
      names.includes('zoe') ? [{ id: 'zoe-guid', userName: 'zoe', origin: 'uaa' }] : [],
    findByIds: async () => [],
  };
  await using api = await start({ users });
  const found = await api.call('GET', '/v3/users?usernames=zoe');
  assert.equal(found.body.resources[0].presentation_name, 'zoe');
  assert.equal((await api.call('GET', '/v3/users?partial_usernames=Z')).body.resources.length, 1);
  assert.equal((await api.call('GET', '/v3/users/zoe-guid', { as: 'alice' })).body.errors[0].detail, 'User not found');
  const again = await api.call('POST', '/v3/users', { body: { guid: 'zoe-guid' } });
  assert.equal(again.status, 422);
  assert.equal((await api.call('DELETE', '/v3/users/zoe-guid')).status, 202);
  assert.equal((await api.call('GET', '/v3/users/zoe-guid')).status, 404);
});

test("a space's ssh feature is switched by its managers", async () => {
  await using api = await start();
  const org = await organization(api);
  const space = (await api.call('POST', '/v3/spaces', { body: { name: 'dev', relationships: inOrganization(org) } }))
    .body;
  const path = `/v3/spaces/${space.guid}/features/ssh`;
  assert.equal((await api.call('GET', path)).body.enabled, true);
  assert.equal((await api.call('PATCH', path, { body: { enabled: false } })).body.enabled, false);
  assert.equal((await api.call('GET', `/v3/spaces/${space.guid}/features/x`)).status, 404);
  const usage = await api.call('GET', `/v3/spaces/${space.guid}/usage_summary`);
  assert.equal(usage.body.usage_summary.memory_in_mb, 0);
});
