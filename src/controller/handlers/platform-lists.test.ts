import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import yazl from 'yazl';
import { buildpackJobs } from '../api/buildpack-deletion.ts';
import { type TestApi, testApi } from '../api/test-controller.ts';
import { organizationSideRoutes as routes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';

const start = () => testApi({ routes, scopes: appScopes, jobs: buildpackJobs });
const BOUNDARY = 'x1y2z3';

async function zipOf(files: Record<string, string>): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return buffer(zip.outputStream);
}

function upload(api: TestApi, guid: string, file: { name: string; content: Buffer }) {
  const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="bits"; filename="${file.name}"\r\ncontent-type: application/zip\r\n\r\n`;
  return api.call('POST', `/v3/buildpacks/${guid}/upload`, {
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: Buffer.concat([Buffer.from(head), file.content, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
  });
}

test('the built-in buildpacks come in order, and a new one takes its place among them', async () => {
  await using api = await start();
  const names = async () =>
    (await api.call('GET', '/v3/buildpacks')).body.resources.map(
      (one: { name: string; position: number }, i: number) => {
        assert.equal(one.position, i + 1, 'positions have no gaps');
        return one.name.replace('_buildpack', '');
      },
    );
  const built = ['nodejs', 'python', 'staticfile', 'go', 'ruby', 'php', 'java', 'binary'];
  assert.deepEqual(await names(), built);
  const mine = await api.call('POST', '/v3/buildpacks/', { body: { name: 'mine', position: 2 } });
  assert.deepEqual([mine.status, mine.body.state, mine.body.position], [201, 'AWAITING_UPLOAD', 2]);
  assert.deepEqual(await names(), ['nodejs', 'mine', ...built.slice(1)]);
  const path = `/v3/buildpacks/${mine.body.guid}`;
  assert.equal((await api.call('PATCH', path, { body: { position: 99 } })).body.position, 9);
  assert.deepEqual(await names(), [...built, 'mine']);
  await api.call('PATCH', path, { body: { position: 1, enabled: false } });
  assert.deepEqual(await names(), ['mine', ...built]);
  const taken = await api.call('POST', '/v3/buildpacks', { body: { name: 'mine' } });
  assert.deepEqual([taken.status, taken.body.errors[0].code], [422, 290000]);
  assert.equal((await api.call('PATCH', path, { as: 'alice', body: {} })).status, 403);
  const unknown = await api.call('PATCH', path, { body: { stack: 'nope' } });
  assert.deepEqual([unknown.status, unknown.body.errors[0].detail], [422, "Stack 'nope' does not exist"]);
  assert.equal((await api.call('POST', '/v3/buildpacks', { body: { name: 'other', stack: 'nope' } })).status, 422);

  assert.equal((await api.call('DELETE', path)).status, 202);
  assert.deepEqual(await names(), built);
});

test('an uploaded buildpack must be a zip with the scripts of a buildpack', async () => {
  await using api = await start();
  const { guid } = (await api.call('POST', '/v3/buildpacks', { body: { name: 'mine' } })).body;
  const garbage = await upload(api, guid, { name: 'bp.zip', content: Buffer.from('not a zip') });
  assert.deepEqual([garbage.status, garbage.body.errors[0].code], [422, 390013]);
  const empty = await upload(api, guid, { name: 'bp.zip', content: await zipOf({ 'README.md': 'hello' }) });
  assert.match(empty.body.errors[0].detail, /bin\/detect/);
  assert.equal((await upload(api, guid, { name: 'bp.tar', content: Buffer.from('x') })).status, 422);
  assert.equal((await api.call('GET', `/v3/buildpacks/${guid}`)).body.state, 'AWAITING_UPLOAD');

  const content = await zipOf({ 'bin/detect': '#!/bin/sh', 'bin/compile': '#!/bin/sh' });
  const done = await upload(api, guid, { name: 'bp-v1.zip', content });
  assert.equal(done.status, 202);
  assert.match(String(done.headers.location), /\/v3\/jobs\//);
  const ready = (await api.call('GET', `/v3/buildpacks/${guid}`)).body;
  assert.deepEqual([ready.state, ready.filename], ['READY', 'bp-v1.zip']);
  const kept = await api.controller.blobs.get(`buildpacks/${guid}`);
  assert.deepEqual(kept && (await buffer(kept)), content);
  await api.call('PATCH', `/v3/buildpacks/${guid}`, { body: { locked: true } });
  assert.equal((await upload(api, guid, { name: 'bp.zip', content })).status, 422);
  assert.equal((await api.call('DELETE', `/v3/buildpacks/${guid}`)).status, 422);
  await api.call('PATCH', `/v3/buildpacks/${guid}`, { body: { locked: false } });
  await api.call('DELETE', `/v3/buildpacks/${guid}`);
  await api.jobs.idle();
  assert.equal(await api.controller.blobs.stat(`buildpacks/${guid}`), undefined);
});

test('all feature flags are there, admins switch them, others only read', async () => {
  await using api = await start();
  const flags = (await api.call('GET', '/v3/feature_flags', { as: 'alice' })).body.resources;
  assert.equal(flags.length, 19);
  const path = '/v3/feature_flags/diego_docker';
  assert.equal((await api.call('GET', path)).body.enabled, false);
  assert.equal((await api.call('PATCH', path, { as: 'alice', body: { enabled: true } })).status, 403);
  assert.equal((await api.call('PATCH', path, { body: { enabled: true } })).body.enabled, true);
  assert.equal((await api.call('GET', path)).body.enabled, true);
  const unknown = await api.call('GET', '/v3/feature_flags/nope');
  assert.deepEqual([unknown.status, unknown.body.errors[0].detail], [404, 'Feature flag not found']);
});

test('environment variable groups merge, remove with null, keep no plain text in the database', async () => {
  await using api = await start();
  const path = '/v3/environment_variable_groups/running';
  assert.deepEqual((await api.call('GET', path)).body.var, {});
  await api.call('PATCH', path, { body: { var: { TOKEN: 'hush-hush', N: 1, B: true } } });
  assert.deepEqual((await api.call('PATCH', path, { body: { var: { N: null } } })).body.var, {
    TOKEN: 'hush-hush',
    B: 'true',
  });
  assert.equal((await api.call('PATCH', path, { body: { var: { VCAP_X: '1' } } })).status, 422);
  assert.equal((await api.call('GET', '/v3/environment_variable_groups/other')).status, 404);
  const rows = await api.controller.db.selectFrom('environment_variable_groups').selectAll().execute();
  assert.ok(!JSON.stringify(rows).includes('hush'));
});

test('stacks are found by name, the alias too, and the default one stays', async () => {
  await using api = await start();
  const stacks = (await api.call('GET', '/v3/stacks?names=stackato,cflinuxfs4&order_by=name')).body.resources;
  assert.deepEqual(
    stacks.map((stack: { name: string; default: boolean }) => [stack.name, stack.default]),
    [
      ['cflinuxfs4', false],
      ['stackato', true],
    ],
  );
  const own = stacks[1].guid;
  assert.equal(
    (await api.call('PATCH', `/v3/stacks/${own}`, { body: { state: 'DEPRECATED' } })).body.state,
    'DEPRECATED',
  );
  assert.equal((await api.call('DELETE', `/v3/stacks/${own}`)).status, 422);
});

test('quotas are made, applied, changed and only deleted when no organization has them', async () => {
  await using api = await start();
  const org = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body;
  const small = await api.call('POST', '/v3/organization_quotas', {
    body: {
      name: 'small',
      apps: { total_memory_in_mb: 512, log_rate_limit_in_bytes_per_second: -1 },
      routes: { total_routes: 2 },
    },
  });
  assert.equal(small.status, 201);
  assert.equal(small.body.apps.total_memory_in_mb, 512);
  assert.equal(small.body.apps.log_rate_limit_in_bytes_per_second, null);
  const path = `/v3/organization_quotas/${small.body.guid}`;
  const applied = await api.call('POST', `${path}/relationships/organizations`, {
    body: { data: [{ guid: org.guid }] },
  });
  assert.deepEqual(applied.body.data, [{ guid: org.guid }]);
  assert.equal(
    (await api.call('PATCH', path, { body: { apps: { total_memory_in_mb: null } } })).body.apps.total_memory_in_mb,
    null,
  );
  assert.equal((await api.call('DELETE', path)).status, 422);
  const again = await api.call('POST', '/v3/organization_quotas', { body: { name: 'SMALL' } });
  assert.equal(again.body.errors[0].detail, "Organization Quota 'SMALL' already exists.");
  assert.equal((await api.call('GET', path, { as: 'alice' })).status, 404);
  assert.equal((await api.call('GET', '/v3/organization_quotas', { as: 'alice' })).body.resources.length, 0);
});

test('security groups are seeded, checked, bound to spaces and unbound', async () => {
  await using api = await start();
  const seeded = (await api.call('GET', '/v3/security_groups?globally_enabled_running=true&order_by=name')).body
    .resources;
  assert.deepEqual(
    seeded.map((group: { name: string }) => group.name),
    ['dns', 'public_networks'],
  );
  const org = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const relationships = { organization: { data: { guid: org } } };
  const space = (await api.call('POST', '/v3/spaces', { body: { name: 'dev', relationships } })).body.guid;
  const wrong = await api.call('POST', '/v3/security_groups', {
    body: { name: 'x', rules: [{ protocol: 'tcp', destination: '10.0.0.300' }] },
  });
  assert.match(wrong.body.errors[0].detail, /Rules\[0\]: destination '10.0.0.300'.*ports are required/);
  const group = await api.call('POST', '/v3/security_groups', {
    body: { name: 'db', rules: [{ protocol: 'tcp', destination: '10.0.0.5', ports: '5432' }] },
  });
  assert.equal(group.status, 201);
  const path = `/v3/security_groups/${group.body.guid}`;
  assert.equal((await api.call('GET', path, { as: 'alice' })).status, 404);
  const bound = await api.call('POST', `${path}/relationships/running_spaces`, { body: { data: [{ guid: space }] } });
  assert.deepEqual(bound.body.data, [{ guid: space }]);
  const inForce = (await api.call('GET', `/v3/spaces/${space}/running_security_groups`)).body.resources;
  assert.equal(inForce.length, 3);
  assert.equal((await api.call('DELETE', `${path}/relationships/running_spaces/${space}`)).status, 204);
  const twice = await api.call('DELETE', `${path}/relationships/running_spaces/${space}`);
  assert.match(twice.body.errors[0].detail, /Ensure the space is bound to this security group\./);
  assert.equal((await api.call('DELETE', path)).status, 202);
});

test('audit events are seen by those who may look into the space, and hold no secrets', async () => {
  await using api = await start();
  const org = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const events = await api.call('GET', `/v3/audit_events?organization_guids=${org}&order_by=-created_at`);
  assert.equal(events.body.resources[0].type, 'audit.organization.create');
  assert.equal(events.body.resources[0].actor.name, 'admin');
  assert.equal((await api.call('GET', '/v3/audit_events', { as: 'alice' })).body.pagination.total_results, 0);
  const one = `/v3/audit_events/${events.body.resources[0].guid}`;
  assert.equal((await api.call('GET', one)).status, 200);
  assert.equal((await api.call('GET', one, { as: 'alice' })).status, 404);
});

test('isolation segments are empty lists, not errors', async () => {
  await using api = await start();
  assert.deepEqual((await api.call('GET', '/v3/isolation_segments')).body.resources, []);
  const org = (await api.call('POST', '/v3/organizations', { body: { name: 'acme' } })).body.guid;
  const path = `/v3/organizations/${org}/relationships/default_isolation_segment`;
  assert.equal((await api.call('GET', path)).body.data, null);
  assert.equal((await api.call('PATCH', path, { body: { data: null } })).status, 200);
  assert.equal((await api.call('PATCH', path, { body: { data: { guid: 'x' } } })).status, 422);
  assert.equal((await api.call('GET', `/v3/organizations/${org}/usage_summary`)).body.usage_summary.routes, 0);
});

test('services are empty lists as clients ask for them, and cannot be created yet', async () => {
  await using api = await start();
  const fields = 'fields%5Bservice_plan.service_offering.service_broker%5D=guid%2Cname';
  for (const path of [
    '/v3/service_route_bindings?include=service_instance&route_guids=a%2Cb',
    `/v3/service_instances?${fields}&order_by=name&per_page=5000&space_guids=s`,
    '/v3/service_plans?available=true&fields%5Bservice_offering.service_broker%5D=name%2Cguid&include=service_offering',
    '/v3/service_credential_bindings?service_instance_guids=x&include=app',
  ]) {
    const answer = await api.call('GET', path);
    assert.deepEqual([answer.status, answer.body.resources], [200, []], path);
  }
  const refused = await api.call('POST', '/v3/service_instances', { body: { type: 'user-provided', name: 'u' } });
  assert.equal(refused.status, 422);
  assert.match(refused.body.errors[0].detail, /not supported yet/);
});
