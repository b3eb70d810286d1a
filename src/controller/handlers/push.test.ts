import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PayloadOf } from '../../contract/subject.ts';
import { subjects } from '../../contract/subjects.ts';
import { type AppWorld, appWorld } from '../testing/app-world.ts';

type StagingStart = PayloadOf<typeof subjects.stagingStart>;

/** An app named demo that is staged and started on two DEAs. */
async function pushed(world: AppWorld) {
  const done: Promise<unknown>[] = [];
  world.stager('s1', (request) => done.push(world.finish(request)));
  const app = await world.createApp('demo');
  const source = await world.upload(app, { 'package.json': '{}' });
  const build = await world.call('POST', '/v3/builds', { body: { package: { guid: source } } });
  await world.settle();
  await Promise.all(done);
  const staged = await world.call('GET', `/v3/builds/${build.body.guid}`);
  assert.equal(staged.body.state, 'STAGED', JSON.stringify(staged.body));
  const droplet = staged.body.droplet.guid;
  await world.call('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body: { data: { guid: droplet } } });
  return { app, droplet, source };
}

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + 5000;
  while (!isTrue() && Date.now() < endMs) await new Promise((done) => setTimeout(done, 10));
}

test('a push, call by call, as the cf client makes it', async () => {
  await using world = await appWorld();
  const { call, space } = world;
  const dea = world.dea('d1');
  const requests: StagingStart[] = [];
  const done: Promise<unknown>[] = [];
  world.stager('s1', (request) => {
    requests.push(request);
    done.push(world.finish(request));
  });

  const manifest = `applications:
- name: demo
  default-route: true
  memory: 64M
  disk-quota: 256M
  env: {GREETING: hello}
`;
  const yaml = { 'content-type': 'application/x-yaml' };
  const applied = await call('POST', `/v3/spaces/${space}/actions/apply_manifest`, { body: manifest, headers: yaml });
  assert.equal(applied.status, 202, JSON.stringify(applied.body));
  const location = String(applied.headers.location);
  const job = await call('GET', location.slice(location.indexOf('/v3')));
  assert.deepEqual([job.body.state, job.body.errors], ['COMPLETE', []]);

  const apps = await call('GET', `/v3/apps?names=DEMO&space_guids=${space}`);
  const app = apps.body.resources[0].guid;
  const web = await call('GET', `/v3/processes/${app}`);
  assert.deepEqual(
    [web.body.type, web.body.memory_in_mb, web.body.disk_in_mb, web.body.instances],
    ['web', 64, 256, 1],
  );
  const routes = await call('GET', `/v3/apps/${app}/routes`);
  assert.equal(routes.body.resources[0].url, 'demo.stackato.localhost');
  assert.equal((await call('GET', `/v3/apps/${app}/droplets/current`)).body.errors[0].detail, 'Droplet not found');

  const source = await world.upload(app, { 'package.json': '{}', 'lib/big.js': 'x'.repeat(5000) });
  const ready = await call('GET', `/v3/packages/${source}`);
  assert.equal(ready.body.state, 'READY', JSON.stringify(ready.body.data));
  const build = await call('POST', '/v3/builds', { body: { package: { guid: source } } });
  assert.deepEqual([build.status, build.body.state, build.body.droplet], [201, 'STAGING', null]);
  await world.settle();
  await Promise.all(done);
  const [request] = requests;
  assert.ok(request);
  assert.equal(request.stack, 'stackato');
  assert.ok(request.properties.environment.includes('GREETING=hello'));
  assert.equal(request.admin_buildpacks.length, 8);
  const staged = await call('GET', `/v3/builds/${build.body.guid}`);
  assert.equal(staged.body.state, 'STAGED', JSON.stringify(staged.body));

  const droplet = staged.body.droplet.guid;
  const assign = { body: { data: { guid: droplet } } };
  assert.equal((await call('PATCH', `/v3/apps/${app}/relationships/current_droplet`, assign)).status, 200);
  const restarted = await call('POST', `/v3/apps/${app}/actions/restart`);
  assert.equal(restarted.body.state, 'STARTED', JSON.stringify(restarted.body));
  await world.settle();
  assert.equal(dea.starts.length, 1);
  const [start] = dea.starts;
  assert.ok(start?.x);
  assert.deepEqual([start.droplet, start.index, start.limits.mem, start.limits.disk], [app, 0, 64, 256]);
  assert.deepEqual(start.uris, ['demo.stackato.localhost']);
  assert.equal(start.start_command, 'node server.js');
  assert.ok(start.env.includes('GREETING=hello') && start.env.includes('MEMORY_LIMIT=64m'));
  assert.equal(start.vcap_application.application_name, 'demo');
  const url = String(start.executableUri);
  const download = await call('GET', url.slice(url.indexOf('/internal')), { as: '' });
  assert.deepEqual([download.status, String(download.body)], [200, 'a droplet']);

  const states = async () =>
    (await call('GET', `/v3/processes/${app}/stats`)).body.resources.map((one: { state: string }) => one.state);
  assert.deepEqual(await states(), ['STARTING']);
  await world.beat('d1', dea.starts);
  assert.deepEqual(await states(), ['RUNNING']);
  const listed = await call('GET', `/v3/processes?space_guids=${space}&embed=process_instances`);
  const byType = Object.fromEntries(
    listed.body.resources.map((one: { type: string; process_instances: { state: string }[] }) => [
      one.type,
      one.process_instances.map(({ state }) => state),
    ]),
  );
  assert.deepEqual(byType, { web: ['RUNNING'], worker: [] });
  assert.ok(world.lines.includes(`Created app with guid ${app}`));
  assert.ok(world.lines.includes(`Staging complete for build ${build.body.guid}`));
});

test("a process with a command of its own stays although the droplet doesn't know its type", async () => {
  await using world = await appWorld();
  const manifest = `applications:
- name: demo
  no-route: true
  processes:
  - {type: clock, command: ./tick, instances: 1, memory: 32M}
  - {type: gone, instances: 1}
`;
  const headers = { 'content-type': 'application/x-yaml' };
  await world.call('POST', `/v3/spaces/${world.space}/actions/apply_manifest`, { body: manifest, headers });
  const app = (await world.call('GET', '/v3/apps?names=demo')).body.resources[0].guid;
  const done: Promise<unknown>[] = [];
  world.stager('s1', (request) => void done.push(world.finish(request)));
  const source = await world.upload(app, { 'package.json': '{}' });
  const build = await world.call('POST', '/v3/builds', { body: { package: { guid: source } } });
  await world.settle();
  await Promise.all(done);
  const droplet = (await world.call('GET', `/v3/builds/${build.body.guid}`)).body.droplet.guid;
  await world.call('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body: { data: { guid: droplet } } });
  const { body } = await world.call('GET', `/v3/apps/${app}/processes`);
  assert.deepEqual(body.resources.map(({ type }: { type: string }) => type).sort(), ['clock', 'web', 'worker']);
});

test('scale, routes, stop and restart reach the DEAs', async () => {
  await using world = await appWorld();
  const { call } = world;
  const [one, two] = [world.dea('d1'), world.dea('d2')];
  const { app } = await pushed(world);
  const started = await call('POST', `/v3/apps/${app}/actions/start`);
  assert.equal(started.status, 200, JSON.stringify(started.body));
  const scaled = await call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { body: { instances: '4' } });
  assert.deepEqual([scaled.status, scaled.body.instances, scaled.headers.location], [202, 4, undefined]);
  await world.settle();
  assert.deepEqual([one.starts.length, two.starts.length], [2, 2], 'spread over both DEAs');

  const foreign = await call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { body: { health_timeout: 5 } });
  assert.deepEqual([foreign.status, foreign.body.errors[0].detail], [422, "Unknown field(s): 'health timeout'"]);
  const root = await call('PATCH', `/v3/apps/${app}/processes/web`, { body: { user: 'root' } });
  assert.equal(root.status, 422);
  const huge = await call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { body: { memory_in_mb: 2 ** 33 } });
  assert.deepEqual(
    [huge.status, huge.body.errors[0].detail],
    [422, 'Memory in mb must be less than or equal to 2147483647'],
  );
  await call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { body: { instances: 1 } });
  await world.settle();
  assert.deepEqual(world.stops.at(-1)?.indices, [1, 2, 3]);

  const domain = (await call('GET', '/v3/domains')).body.resources[0].guid;
  const route = await call('POST', '/v3/routes', {
    body: {
      host: 'new',
      relationships: { space: { data: { guid: world.space } }, domain: { data: { guid: domain } } },
    },
  });
  const destinations = [{ app: { guid: app } }];
  await call('POST', `/v3/routes/${route.body.guid}/destinations`, { body: { destinations } });
  await world.settle();
  assert.deepEqual(world.updates.at(-1)?.uris, ['new.stackato.localhost']);
  world.updates.length = 0;
  await world.beat('d1', one.starts);
  assert.equal(world.updates.length, 0);
  world.bus.publish(subjects.deaHello, [], { id: 'd1', ip: '10.0.0.1', version: '1.0.0' });
  await world.beat('d1', one.starts);
  await until(() => world.updates.length > 0);
  assert.deepEqual(world.updates.at(-1)?.uris, ['new.stackato.localhost'], 'a DEA that was away is told again');

  const before = (await call('GET', `/v3/processes/${app}`)).body.version;
  await call('POST', `/v3/apps/${app}/actions/restart`);
  await world.settle();
  assert.equal(world.stops.at(-1)?.version, before);
  assert.equal([...one.starts, ...two.starts].filter(({ version }) => version !== before).length, 1);

  await call('POST', `/v3/apps/${app}/actions/stop`);
  await world.settle();
  assert.deepEqual(world.stops.at(-1), { droplet: app });
  assert.deepEqual((await call('GET', `/v3/processes/${app}/stats`)).body.resources, []);
});

test('an app that no DEA has room for is started, DOWN, and says why', async () => {
  await using world = await appWorld();
  world.dea('small', 100);
  const { app } = await pushed(world);
  assert.equal((await world.call('POST', `/v3/apps/${app}/actions/start`)).status, 200);
  await world.settle();
  const [stats] = (await world.call('GET', `/v3/processes/${app}/stats`)).body.resources;
  assert.deepEqual([stats.state, stats.details], ['DOWN', 'insufficient resources: memory']);
});

test('a start that a DEA gives back goes to another one, until each has refused', async () => {
  await using world = await appWorld();
  const deas = { d1: world.dea('d1'), d2: world.dea('d2') };
  const { app } = await pushed(world);
  await world.call('POST', `/v3/apps/${app}/actions/start`);
  await world.settle();
  const sent = () => [...deas.d1.starts, ...deas.d2.starts];
  const [first] = sent();
  assert.ok(first);
  const statsOf = async () => (await world.call('GET', `/v3/processes/${app}/stats`)).body.resources[0];
  const giveBack = async (dea: string, refused_by: string[]) => {
    const because = 'not enough memory there: 64 MB wanted, 10 MB free';
    const about = { droplet: app, version: first.version, index: 0 };
    for (const { advertise } of Object.values(deas)) advertise();
    world.bus.publish(subjects.deaRefused, [], { ...about, dea, because, refused_by });
    await world.handled();
  };
  const [one, other] = deas.d1.starts.length > 0 ? (['d1', 'd2'] as const) : (['d2', 'd1'] as const);
  await giveBack(one, []);
  assert.deepEqual(deas[other].starts[0]?.x?.refused_by, [one]);
  await giveBack(other, [one]);
  const { state, details } = await statsOf();
  assert.deepEqual(
    [state, details, sent().length],
    ['DOWN', 'no DEA could take it: not enough memory there: 64 MB wanted, 10 MB free', 2],
  );
  await world.call('PATCH', `/v3/processes/${app}`, { body: { command: 'node other.js' } });
  await world.call('POST', `/v3/apps/${app}/actions/restart`);
  const now = sent().length;
  await giveBack(one, []);
  assert.equal(sent().length, now, 'nobody wants the old version any more');
});

test('a crash is shown with its reason, and becomes events', async () => {
  await using world = await appWorld();
  const dea = world.dea('d1');
  const { app } = await pushed(world);
  await world.call('POST', `/v3/apps/${app}/actions/start`);
  await world.settle();
  await world.beat('d1', dea.starts);
  const [start] = dea.starts;
  assert.ok(start);
  world.bus.publish(subjects.dropletExited, [], {
    ...{ droplet: app, version: start.version, index: 0, reason: 'CRASHED', cc_partition: 'default' },
    instance: `d1-${app}-${start.version}-0`,
    exit_status: 3,
    exit_description: 'app instance exited',
    crash_timestamp: Math.floor(Date.now() / 1000),
  });
  await world.settle();
  const [stats] = (await world.call('GET', `/v3/processes/${app}/stats`)).body.resources;
  assert.deepEqual([stats.state, stats.details], ['CRASHED', 'app instance exited (exit status 3)']);
  await world.handled();
  const events = world.controller.db.selectFrom('audit_events').select('type').where('type', 'like', '%crash');
  assert.deepEqual(
    (await events.orderBy('type').execute()).map(({ type }) => type),
    ['app.crash', 'audit.app.process.crash'],
  );
});

test('two builds of one app at once: one is staged, the other refused', async () => {
  await using world = await appWorld();
  world.stager('s1', () => undefined);
  const app = await world.createApp('demo');
  const source = await world.upload(app, { a: 'b' });
  const body = { package: { guid: source } };
  const answers = await Promise.all([1, 2, 3].map(() => world.call('POST', '/v3/builds', { body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 422, 422]);
  const refused = answers.find(({ status }) => status === 422);
  assert.deepEqual([refused?.body.errors[0].code, refused?.body.errors[0].title], [170017, 'CF-StagingInProgress']);
  await world.settle();
});

test('the health manager is answered from the database, not from what it says', async () => {
  await using world = await appWorld();
  const dea = world.dea('d1');
  const { app } = await pushed(world);
  await world.call('POST', `/v3/apps/${app}/actions/start`);
  await world.settle();
  const [start] = dea.starts;
  assert.ok(start);
  const ask = async (change: object) => {
    const request = {
      droplet: app,
      version: start.version,
      indices: [0],
      last_updated: 1,
      running: {},
      flapping: false,
    };
    const before = dea.starts.length;
    world.bus.publish(subjects.healthStart, [], { ...request, ...change });
    await world.handled();
    return dea.starts.length - before;
  };
  assert.equal(await ask({}), 1);
  assert.equal(await ask({ version: 'old' }), 0);
  assert.equal(await ask({ running: { [start.version]: 1 } }), 0);
  assert.equal(await ask({ indices: [7] }), 0);
  await world.call('POST', `/v3/apps/${app}/actions/stop`);
  assert.equal(await ask({}), 0);
  const [credentials] = await world.bus.request(subjects.bulkCredentials, [], {}, { timeoutMs: 1000 });
  const basic = Buffer.from(`${credentials?.user}:${credentials?.password}`).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  const page = await world.call('GET', '/bulk/apps?batch_size=1&bulk_token={}', { as: '', headers });
  assert.deepEqual(Object.keys(page.body.results), [app]);
  assert.deepEqual(
    [page.body.results[app].state, page.body.results[app].package_state, page.body.results[app].instances],
    ['STOPPED', 'STAGED', 1],
  );
  const token = encodeURIComponent(JSON.stringify({ id: 1_000_000 }));
  const end = await world.call('GET', `/bulk/apps?batch_size=1&bulk_token=${token}`, { as: '', headers });
  assert.deepEqual(end.body.results, {});
});

test('deleting an app stops it and leaves nothing of it', async () => {
  await using world = await appWorld();
  world.dea('d1');
  const { app, droplet, source } = await pushed(world);
  await world.call('POST', `/v3/apps/${app}/actions/start`);
  const deleted = await world.call('DELETE', `/v3/apps/${app}`);
  assert.equal(deleted.status, 202);
  await world.api.jobs.idle();
  await world.settle();
  const location = String(deleted.headers.location);
  const job = await world.call('GET', location.slice(location.indexOf('/v3')));
  assert.equal(job.body.state, 'COMPLETE', JSON.stringify(job.body));
  assert.equal((await world.call('GET', `/v3/apps/${app}`)).body.errors[0].detail, 'App not found');
  assert.deepEqual(world.stops.at(-1), { droplet: app });
  for (const key of [`droplets/${droplet}`, `packages/${source}`]) {
    assert.equal(await world.controller.blobs.stat(key), undefined);
  }
});

test('what a stranger may not see does not exist for them', async () => {
  await using world = await appWorld();
  const app = await world.createApp('demo');
  for (const path of ['', '/env', '/processes', '/droplets/current', '/ssh_enabled']) {
    const answer = await world.call('GET', `/v3/apps/${app}${path}`, { as: 'mallory' });
    assert.deepEqual([answer.status, answer.body.errors[0].detail], [404, 'App not found'], path);
  }
  assert.equal((await world.call('GET', `/internal/v1/apps/${app}/log_access`, { as: 'mallory' })).status, 404);
  assert.equal((await world.call('GET', `/internal/v1/apps/${app}/log_access`)).status, 200);
  assert.deepEqual((await world.call('GET', '/v3/apps', { as: 'mallory' })).body.resources, []);
  assert.equal((await world.call('DELETE', `/v3/apps/${app}`, { as: 'mallory' })).status, 404);
});
