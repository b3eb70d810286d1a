import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

test('what is not there yet is an empty list, and is refused in words when one is to be made', async () => {
  await using api = await testApi({ routes, scopes: appScopes });
  const quotas = await api.call('GET', '/v3/space_quotas?names=q&organization_guids=o&page=1&per_page=1');
  assert.deepEqual([quotas.status, quotas.body.pagination.total_results, quotas.body.resources], [200, 0, []]);
  for (const path of ['/v3/space_quotas', '/v3/isolation_segments']) {
    const answer = await api.call('POST', path, { body: { name: 'x' } });
    assert.equal(answer.status, 400, 'clients take a 422 for a name that is taken, and for success');
    assert.match(answer.body.errors[0].detail, /not supported yet on this platform/);
  }
});

test('network policies and router groups answer in the error documents of their own interfaces', async () => {
  await using api = await testApi({ routes, scopes: appScopes });
  const policies = '/networking/v1/external/policies';
  assert.deepEqual((await api.call('GET', `${policies}?id=a,b`)).body, { total_policies: 0, policies: [] });
  for (const path of [policies, `${policies}/delete`]) {
    const answer = await api.call('POST', path, { body: { policies: [] } });
    assert.equal(answer.status, 400);
    assert.match(answer.body.error, /not supported yet/);
  }
  assert.deepEqual((await api.call('GET', '/routing/v1/router_groups')).body, []);
  const named = await api.call('GET', '/routing/v1/router_groups?name=default-tcp');
  assert.deepEqual([named.status, named.body.name], [404, 'ResourceNotFoundError']);
});
