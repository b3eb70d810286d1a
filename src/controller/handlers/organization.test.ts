import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApi } from '../api/test-controller.ts';
import { jobRoutes } from './job.ts';
import { organizationRoutes } from './organization.ts';

const routes = [...organizationRoutes, ...jobRoutes];

test('an organization is created, found by name in any case, renamed and labelled', async () => {
  await using api = await testApi({ routes });
  const created = await api.call('POST', '/v3/organizations', {
    body: { name: 'Acme, Inc', metadata: { labels: { tier: 'gold' } } },
  });
  assert.equal(created.status, 201);
  const { guid } = created.body;
  assert.equal(created.body.name, 'Acme, Inc');
  assert.match(created.body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(created.body.links.self.href, `http://api.stackato.localhost/v3/organizations/${guid}`);

  const found = await api.call('GET', '/v3/organizations?names=acme%252C%20inc&per_page=1&page=1');
  assert.deepEqual(
    found.body.resources.map((one: { guid: string }) => one.guid),
    [guid],
  );
  assert.equal(found.body.pagination.total_results, 1);

  const renamed = await api.call('PATCH', `/v3/organizations/${guid}/`, {
    body: { name: 'acme', metadata: { labels: { tier: null, env: 'prod' } } },
  });
  assert.equal(renamed.body.name, 'acme');
  assert.deepEqual(renamed.body.metadata.labels, { env: 'prod' });
});

test('a taken name, an unknown field and a wrong type each say what is wrong', async () => {
  await using api = await testApi({ routes });
  await api.call('POST', '/v3/organizations', { body: { name: 'acme' } });
  const taken = await api.call('POST', '/v3/organizations', { body: { name: 'ACME' } });
  assert.equal(taken.status, 422);
  assert.deepEqual(taken.body.errors, [
    { code: 10008, title: 'CF-UnprocessableEntity', detail: "Organization 'ACME' already exists." },
  ]);
  const unknown = await api.call('POST', '/v3/organizations', { body: { name: 'x', colour: 'red' } });
  assert.match(unknown.body.errors[0].detail, /Unknown field\(s\): 'colour'/);
  const missing = await api.call('POST', '/v3/organizations', { body: {} });
  assert.equal(missing.body.errors[0].detail, 'Name is required');
  const wrong = await api.call('POST', '/v3/organizations', { body: { name: 7 } });
  assert.match(wrong.body.errors[0].detail, /^Name must be string/);
});

test('who has no role in an organization does not see it', async () => {
  await using api = await testApi({ routes });
  const { body } = await api.call('POST', '/v3/organizations', { body: { name: 'acme' } });
  const hidden = await api.call('GET', `/v3/organizations/${body.guid}`, { as: 'alice' });
  assert.equal(hidden.status, 404);
  assert.equal(hidden.body.errors[0].detail, 'Organization not found');
  const list = await api.call('GET', '/v3/organizations', { as: 'alice' });
  assert.equal(list.body.pagination.total_results, 0);
  assert.equal(list.body.pagination.total_pages, 1);
  const seen = await api.call('GET', `/v3/organizations/${body.guid}`, { as: 'auditor' });
  assert.equal(seen.status, 200);
  const refused = await api.call('PATCH', `/v3/organizations/${body.guid}`, { as: 'auditor', body: { name: 'x' } });
  assert.equal(refused.status, 403);
});

test('a user may create organizations once the feature flag says so, and then manages them', async () => {
  await using api = await testApi({ routes });
  const refused = await api.call('POST', '/v3/organizations', { as: 'alice', body: { name: 'mine' } });
  assert.equal(refused.status, 403);
  await api.controller.db.insertInto('feature_flags').values({ name: 'user_org_creation', enabled: true }).execute();
  const { status, body } = await api.call('POST', '/v3/organizations', { as: 'alice', body: { name: 'mine' } });
  assert.equal(status, 201);
  const renamed = await api.call('PATCH', `/v3/organizations/${body.guid}`, { as: 'alice', body: { name: 'ours' } });
  assert.equal(renamed.status, 200);
  const suspended = await api.call('PATCH', `/v3/organizations/${body.guid}`, {
    as: 'alice',
    body: { suspended: true },
  });
  assert.equal(suspended.status, 403);
  await api.call('PATCH', `/v3/organizations/${body.guid}`, { body: { suspended: true } });
  const frozen = await api.call('PATCH', `/v3/organizations/${body.guid}`, { as: 'alice', body: { name: 'x' } });
  assert.deepEqual([frozen.status, frozen.body.errors[0].code], [403, 10017]);
  assert.equal((await api.call('GET', `/v3/organizations/${body.guid}`, { as: 'alice' })).status, 200);
});

test('pages, order, label selectors and times select what they say', async () => {
  await using api = await testApi({ routes });
  for (const [name, tier] of [
    ['c', 'gold'],
    ['a', 'silver'],
    ['b', 'gold'],
  ]) {
    await api.call('POST', '/v3/organizations', { body: { name, metadata: { labels: { tier, [`is-${name}`]: '' } } } });
  }
  const names = async (query: string) =>
    (await api.call('GET', `/v3/organizations?${query}`)).body.resources.map((one: { name: string }) => one.name);
  assert.deepEqual(await names('order_by=name'), ['a', 'b', 'c']);
  assert.deepEqual(await names('order_by=-name'), ['c', 'b', 'a']);
  assert.deepEqual(await names(''), ['c', 'a', 'b']);
  assert.deepEqual(await names('names=a,b&order_by=name'), ['a', 'b']);
  assert.deepEqual(await names('names='), []);
  assert.deepEqual(await names('label_selector=tier%3Dgold&order_by=name'), ['b', 'c']);
  assert.deepEqual(await names('label_selector=tier%20in%20(gold,silver),!is-a&order_by=name'), ['b', 'c']);
  assert.deepEqual(await names('label_selector=tier!%3Dgold'), ['a']);
  assert.deepEqual(await names('created_ats[gt]=2099-01-01T00:00:00Z'), []);
  const page = await api.call('GET', '/v3/organizations?order_by=name&per_page=2&names=a,b,c');
  assert.equal(page.body.pagination.total_pages, 2);
  const next = page.body.pagination.next.href.replace('http://api.stackato.localhost', '');
  const second = await api.call('GET', next);
  assert.deepEqual(
    second.body.resources.map((one: { name: string }) => one.name),
    ['c'],
  );
  assert.equal(second.body.pagination.next, null);
  for (const query of ['per_page=0', 'per_page=5001', 'page=x', 'order_by=colour', 'colour=red', 'label_selector=,']) {
    const wrong = await api.call('GET', `/v3/organizations?${query}`);
    assert.deepEqual([wrong.status, wrong.body.errors[0].code], [400, 10005], query);
  }
});
