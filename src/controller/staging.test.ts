import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryBus } from '../bus/memory.ts';
import { PlatformError } from '../contract/errors.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { StagingWatch } from './staging-watch.ts';
import { type AppWorld, appWorld } from './testing/app-world.ts';

type StagingStart = PayloadOf<typeof subjects.stagingStart>;

async function begin(world: AppWorld) {
  const app = await world.createApp('demo');
  const source = await world.upload(app, { a: 'b' });
  const build = await world.call('POST', '/v3/builds', { body: { package: { guid: source } } });
  assert.equal(build.status, 201);
  await world.settle();
  const read = async () => (await world.call('GET', `/v3/builds/${build.body.guid}`)).body;
  return { app, source, guid: build.body.guid as string, read };
}

const report = (world: AppWorld, request: StagingStart, error_info: object) => {
  const url = request.completion_uri;
  const ids = { task_id: request.task_id, app_id: request.app_id };
  return world.call('POST', url.slice(url.indexOf('/internal')), { as: '', body: { ...ids, error_info } });
};

test('without a stager a build fails and says what to do', async () => {
  await using world = await appWorld();
  const { read } = await begin(world);
  const build = await read();
  assert.equal(build.state, 'FAILED');
  assert.match(build.error, /^StagerUnavailable - No stager is available: none has announced itself; start one with/);
});

test('a failed build tells the kind, the words that clients know, and the stager’s own', async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const { read } = await begin(world);
  const [request] = requests;
  assert.ok(request);
  const info = { type: 'NoAppDetectedError', message: 'Looked for package.json, requirements.txt and go.mod' };
  assert.equal((await report(world, request, info)).status, 204);
  const build = await read();
  assert.deepEqual(
    [build.state, build.droplet, build.error],
    [
      'FAILED',
      null,
      'NoAppDetectedError - An app was not successfully detected by any available buildpack. Looked for package.json, requirements.txt and go.mod',
    ],
  );
  assert.deepEqual((await world.call('GET', '/v3/droplets')).body.resources, [], 'no droplet is left of it');
  assert.equal((await world.finish(request).catch(() => ({ status: 'refused' }))).status, 'refused');
  assert.equal((await read()).state, 'FAILED', 'a late success changes nothing');
});

test("the stager's words are not put before themselves", async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const { read } = await begin(world);
  const [request] = requests;
  assert.ok(request);
  const { message } = new PlatformError('AppPackageInvalid', 'it is empty');
  assert.equal((await report(world, request, { type: 'AppPackageInvalid', message })).status, 204);
  assert.equal((await read()).error, 'AppPackageInvalid - The app package is invalid: it is empty');
});

test('a result that is told twice counts once', async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const { read } = await begin(world);
  const [request] = requests;
  assert.ok(request);
  assert.equal((await world.finish(request)).status, 204);
  const staged = await read();
  assert.equal(staged.state, 'STAGED');
  assert.equal((await report(world, request, { type: 'StagingError', message: 'late' })).status, 204);
  assert.deepEqual(await read(), staged);
});

test('a stager that refuses or stays silent is passed over', async () => {
  await using world = await appWorld();
  const asked: string[] = [];
  world.bus.subscribe(subjects.stagingStart, ['full'], (request, message) => {
    asked.push('full');
    message.respond({ task_id: request.task_id, task_streaming_log_url: null, error: 'no slot is free' });
  });
  const offer = { stacks: ['stackato'], available_memory: 9000, tasks: [] };
  world.bus.publish(subjects.stagingAdvertise, [], { id: 'full', ...offer });
  await world.settle();
  const { read } = await begin(world);
  assert.deepEqual(asked, ['full']);
  assert.match((await read()).error, /^StagerUnavailable - .*none accepted the build.*\(no slot is free\)$/);
});

test('a cancelled build ends at once, its stager is told, and the next one may begin', async () => {
  await using world = await appWorld();
  world.stager('s1', () => undefined);
  const stopped: unknown[] = [];
  world.bus.subscribe(subjects.stagingStop, [], (stop) => stopped.push(stop));
  const { app, guid, source } = await begin(world);
  const cancelled = await world.call('POST', `/stackato/v1/builds/${guid}/cancel`);
  assert.deepEqual(
    [cancelled.body.state, cancelled.body.error],
    ['FAILED', 'StagingError - Staging error: the build was cancelled'],
  );
  await world.settle();
  assert.deepEqual(stopped, [{ app_id: app, task_id: guid }]);
  assert.equal((await world.call('POST', '/v3/builds', { body: { package: { guid: source } } })).status, 201);
  await world.settle();
});

test('a build whose stager is lost is ended by the watch', async () => {
  await using world = await appWorld();
  world.stager('s1', () => undefined);
  const { guid, read } = await begin(world);
  const { controller, services } = world;
  const later = (ms: number) =>
    new StagingWatch({ ...controller, clock: { ...controller.clock, nowMs: () => Date.now() + ms } }, services);
  await later(20_000).look();
  assert.equal((await read()).state, 'STAGING');
  world.bus.publish(subjects.stagingAdvertise, [], { id: 's1', stacks: [], available_memory: 1, tasks: [guid] });
  await world.settle();
  await later(40_000).look();
  const build = await read();
  assert.deepEqual(
    [build.state, build.error],
    ['FAILED', 'StagingError - Staging error: the stager was lost; push or restage again'],
  );
});

test('a controller that was cut off from the bus does not take the silence for a lost stager', async () => {
  await using world = await appWorld();
  world.stager('s1', () => undefined);
  const { read } = await begin(world);
  const { controller, services } = world;
  const near = controller.bus as MemoryBus;
  const watchAt = (ms: number) =>
    new StagingWatch({ ...controller, clock: { ...controller.clock, nowMs: () => Date.now() + ms } }, services);
  near.setConnected(false);
  await watchAt(40_000).look();
  assert.equal((await read()).state, 'STAGING');
  near.setConnected(true);
  await watchAt(20_000).look();
  assert.equal((await read()).state, 'STAGING', 'stagers get time to be heard again');
  await watchAt(40_000).look();
  assert.equal((await read()).state, 'FAILED');
});

const advertise = (world: AppWorld, id: string) =>
  world.bus.publish(subjects.stagingAdvertise, [], { id, stacks: ['stackato'], available_memory: 9000, tasks: [] });

test('a build whose stager was stopped is staged by the next one, a few times at most', async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const { read } = await begin(world);
  const info = { type: 'StagingInterrupted', message: 'The stager was stopped' };
  for (const count of [1, 2]) {
    assert.equal((await report(world, requests.at(-1) as StagingStart, info)).status, 204);
    await world.settle();
    assert.deepEqual([(await read()).state, requests.length], ['STAGING', count + 1]);
    advertise(world, 's1');
    await world.settle();
  }
  assert.match(world.lines.join('\n'), /The stager was stopped while it staged build .*; staging again/);
  await report(world, requests.at(-1) as StagingStart, info);
  assert.match((await read()).error, /^StagingError - Staging error: The stager was stopped, 3 times; push/);
});

test('a stager that is about to come back is waited for', async () => {
  await using world = await appWorld({ patienceMs: 20_000 });
  const app = await world.createApp('demo');
  const source = await world.upload(app, { a: 'b' });
  const build = await world.call('POST', '/v3/builds', { body: { package: { guid: source } } });
  const taken = Promise.withResolvers<string>();
  world.stager('late', (request) => taken.resolve(request.task_id));
  assert.equal(await taken.promise, build.body.guid);
});

test('a build that nobody took is offered again by the next controller', async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const { guid, read } = await begin(world);
  const { controller, services } = world;
  await controller.db.updateTable('builds').set({ stager: null, offered_at: null }).where('guid', '=', guid).execute();
  const nowMs = () => Date.now() + 8000;
  await new StagingWatch({ ...controller, clock: { ...controller.clock, nowMs } }, services).look();
  await world.settle();
  assert.deepEqual([requests.length, (await read()).state], [2, 'STAGING']);
});

test('failed builds do not keep their packages for ever, nor uploads that broke off', async () => {
  await using world = await appWorld();
  const requests: StagingStart[] = [];
  world.stager('s1', (request) => requests.push(request));
  const app = await world.createApp('demo');
  const kept = world.controller.config.controller.dropletsKept;
  const pushes: string[] = [];
  const push = async () => {
    const source = await world.upload(app, { a: `push ${pushes.length}` });
    pushes.push(source);
    await world.call('POST', '/v3/builds', { body: { package: { guid: source } } });
    await world.settle();
    return requests.at(-1) as StagingStart;
  };
  await world.finish(await push());
  const droplet = (await world.call('GET', `/v3/apps/${app}/droplets`)).body.resources[0].guid;
  await world.call('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body: { data: { guid: droplet } } });
  const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
  const [old, fresh] = [
    await world.call('POST', '/v3/packages', { body }),
    await world.call('POST', '/v3/packages', { body }),
  ];
  const yesterday = new Date(Date.now() - 2 * 86_400_000);
  await world.controller.db
    .updateTable('packages')
    .set({ created_at: yesterday })
    .where('guid', '=', old.body.guid)
    .execute();
  for (let at = 0; at < kept + 2; at++)
    await report(world, await push(), { type: 'NoAppDetectedError', message: 'none' });

  const states = await Promise.all(
    pushes.map(async (guid) => (await world.call('GET', `/v3/packages/${guid}`)).body.state),
  );
  const expected = ['READY', 'EXPIRED', 'EXPIRED', ...Array.from({ length: kept }, () => 'READY')];
  assert.deepEqual(states, expected, 'the running code and the newest ones are kept');
  assert.equal(await world.controller.blobs.stat(`packages/${pushes[1]}`), undefined);
  assert.equal((await world.call('GET', `/v3/packages/${old.body.guid}`)).status, 404);
  assert.equal((await world.call('GET', `/v3/packages/${fresh.body.guid}`)).status, 200);
});
