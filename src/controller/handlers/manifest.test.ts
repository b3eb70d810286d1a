import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AppWorld, appWorld } from '../testing/app-world.ts';

const headers = { 'content-type': 'application/x-yaml' };

async function apply(world: AppWorld, body: string) {
  const answer = await world.call('POST', `/v3/spaces/${world.space}/actions/apply_manifest`, { body, headers });
  if (answer.status !== 202) return { status: answer.status, detail: String(answer.body.errors[0].detail) };
  const location = String(answer.headers.location);
  const job = await world.call('GET', location.slice(location.indexOf('/v3')));
  return { status: 202, state: job.body.state, detail: job.body.errors[0]?.detail as string | undefined };
}

const appNamed = async (world: AppWorld, name: string) =>
  (await world.call('GET', `/v3/apps?names=${name}`)).body.resources[0];

test('bad manifests are refused in the words that clients know, and change nothing', async () => {
  await using world = await appWorld();
  const cases: [string, number, string][] = [
    ['', 422, "Cannot parse manifest with no 'applications' field."],
    ['applications: []', 422, "Cannot parse manifest with no 'applications' field."],
    [
      'version: 2\napplications: [{name: a}]',
      422,
      'Unsupported manifest schema version. Currently supported versions: [1].',
    ],
    ['applications: [{memory: 1G}]', 422, 'For application at index 0: Name must not be empty'],
    [
      'applications: [{name: a, memory: 12Q}]',
      422,
      "For application 'a': Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB",
    ],
    [
      'applications: [{name: ok}, {name: a, docker: {image: nginx}}]',
      422,
      "For application 'a': Docker images are not supported yet on this platform; push source code.",
    ],
    [
      'applications: [{name: a, lifecycle: cnb}]',
      422,
      "For application 'a': The cnb lifecycle is not supported yet on this platform; push source code.",
    ],
    ['applications: [&x {name: a}, *x]', 400, 'Bad request: Manifest does not support Anchors and Aliases'],
  ];
  for (const [body, status, detail] of cases) assert.deepEqual(await apply(world, body), { status, detail }, body);
  assert.match((await apply(world, 'applications: [')).detail ?? '', /invalid YAML/);
  const json = await world.call('POST', `/v3/spaces/${world.space}/actions/apply_manifest`, { body: '{}' });
  assert.deepEqual([json.status, json.body.errors[0].detail], [400, 'Bad request: Content-Type must be yaml']);
  assert.deepEqual((await world.call('GET', '/v3/apps')).body.resources, []);
});

test('what can’t be applied fails the job with the app’s name, and the app exists', async () => {
  await using world = await appWorld();
  const cases: [string, string][] = [
    ['routes: [{route: x.bad.example}]', "The route 'x.bad.example' did not match any existing domains."],
    ['services: [db]', "Service instance 'db' not found"],
    ['buildpack: nope', 'Buildpack "nope" must be an existing admin buildpack or a valid git URI'],
    ['stack: nope', 'Stack must be an existing stack'],
    ['docker: {image: nginx}', 'Docker cannot be configured for a buildpack lifecycle app.'],
    ['disk_quota: 20G', 'Disk in mb too much disk requested (requested 20480 MB - must be less than 10240 MB)'],
  ];
  for (const [line, detail] of cases) {
    assert.deepEqual(
      await apply(world, `applications: [{name: demo, ${line}}]`),
      { status: 202, state: 'FAILED', detail: `For application 'demo': ${detail}` },
      line,
    );
  }
  assert.equal((await appNamed(world, 'demo')).state, 'STOPPED');
});

test('applying a manifest changes what it names and leaves the rest', async () => {
  await using world = await appWorld();
  const done = { status: 202, state: 'COMPLETE', detail: undefined };
  const first = `applications:
- name: demo
  buildpacks: [nodejs_buildpack]
  env: {A: 1, B: two}
  command: node a.js
  health-check-type: http
  health-check-http-endpoint: /up
  timeout: 90
  metadata: {labels: {team: x}}
  routes:
  - route: Demo.stackato.localhost/api
  - route: other.stackato.localhost
    protocol: http2
  processes:
  - {type: worker, instances: 2, memory: 128M}
  features: {ssh: false}
`;
  assert.deepEqual(await apply(world, first), done);
  assert.deepEqual(await apply(world, 'applications: [{name: demo, env: {B: 2}, memory: 256M}]'), done);
  const app = await appNamed(world, 'demo');
  assert.deepEqual(app.lifecycle.data.buildpacks, ['nodejs_buildpack']);
  assert.deepEqual(app.metadata.labels, { team: 'x' });
  const env = await world.call('GET', `/v3/apps/${app.guid}/env`);
  assert.deepEqual(env.body.environment_variables, { A: '1', B: '2' });
  const web = (await world.call('GET', `/v3/apps/${app.guid}/processes/web`)).body;
  assert.deepEqual([web.command, web.memory_in_mb, web.health_check.data.endpoint], ['node a.js', 256, '/up']);
  assert.equal(web.health_check.data.timeout, 90);
  const worker = (await world.call('GET', `/v3/apps/${app.guid}/processes/worker`)).body;
  assert.deepEqual([worker.instances, worker.memory_in_mb, worker.health_check.type], [2, 128, 'process']);
  const routes = (await world.call('GET', `/v3/apps/${app.guid}/routes`)).body.resources;
  const shown = routes.map((one: { url: string; destinations: { protocol: string }[] }) => [
    one.url,
    one.destinations[0]?.protocol,
  ]);
  assert.deepEqual(shown.sort(), [
    ['demo.stackato.localhost/api', 'http1'],
    ['other.stackato.localhost', 'http2'],
  ]);
  const features = await world.call('GET', `/v3/apps/${app.guid}/features/ssh`);
  assert.equal(features.body.enabled, false);
  const ssh = (await world.call('GET', `/v3/apps/${app.guid}/ssh_enabled`)).body;
  assert.deepEqual(ssh, { enabled: false, reason: 'Disabled globally' }, 'nothing listens for SSH yet');

  const written = await world.call('GET', `/v3/apps/${app.guid}/manifest`);
  assert.match(String(written.headers['content-type']), /yaml/);
  assert.deepEqual(await apply(world, String(written.body)), done, 'its own manifest can be applied again');
  const diff = await world.call('POST', `/v3/spaces/${world.space}/manifest_diff`, {
    body: String(written.body),
    headers,
  });
  assert.deepEqual([diff.status, diff.body.diff], [201, []]);
  assert.deepEqual(await apply(world, 'applications: [{name: demo, command: default, no-route: true}]'), done);
  assert.equal((await world.call('GET', `/v3/apps/${app.guid}/processes/web`)).body.command, null);
  assert.deepEqual((await world.call('GET', `/v3/apps/${app.guid}/routes`)).body.resources, []);
});

test("a variable of the platform's own is refused, and the answer says what it is about", async () => {
  await using world = await appWorld();
  const path = `/v3/apps/${await world.createApp('demo')}/environment_variables`;
  for (const [name, why] of [
    ['VCAP_X', 'cannot start with VCAP_'],
    ['PORT', 'cannot set PORT'],
  ] as const) {
    const answer = await world.call('PATCH', path, { body: { var: { [name]: '1' } } });
    assert.deepEqual([answer.status, answer.body.errors[0].detail], [422, `Environment variables ${why}`]);
  }
});

test('a random route is made once, a default route only when there is none', async () => {
  await using world = await appWorld();
  await apply(world, 'applications: [{name: demo, random-route: true}]');
  await apply(world, 'applications: [{name: demo, random-route: true}]');
  await apply(world, 'applications: [{name: demo, default-route: true}]');
  const app = await appNamed(world, 'demo');
  const routes = (await world.call('GET', `/v3/apps/${app.guid}/routes`)).body.resources;
  assert.equal(routes.length, 1);
  assert.match(routes[0].url, /^demo-[a-z]+-[a-z]+-[a-z]{2}\.stackato\.localhost$/);
});
