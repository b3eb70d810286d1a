import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { sharedFolderMark } from '../blobstore/shared-folder.ts';
import type { Bus } from '../bus/bus.ts';
import { startNatsServer } from '../bus/testing/nats-server.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { zipOf } from '../controller/testing/zip.ts';
import { openDatabase } from '../platform/db.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { signPath } from '../platform/secret-box.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { CORE, ControllerNode, idOf, KEY } from './testing/controller-node.ts';

type Start = PayloadOf<typeof subjects.deaStart>;
type StagingStart = PayloadOf<typeof subjects.stagingStart>;
type Desired = { readonly app: string; readonly process: string };

const ADMIN = { email: 'admin@example.com', password: 'a good password' };

/** Two controllers on one database, one bus and one folder of blobs; the test plays DEA and stager. */
async function twoControllers() {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(await startNatsServer());
  const database = stack.use(await temporaryDatabase({ schema: 'public' }));
  const blobs = stack.use(await temporaryDirectory('shared-blobs'));
  await writeFile(join(blobs.path, sharedFolderMark), idOf(CORE));
  const make = async (index: number) =>
    stack.use(
      await ControllerNode.make({
        ...{ index, nats, databaseUrl: database.url },
        config: { blobs: { folder: blobs.path } },
      }),
    );
  const [a, b] = [await make(1), await make(2)];
  const connect = async (user: string) => {
    const bus = await nats.connect(user);
    stack.defer(() => bus.close());
    return bus;
  };
  const buses = { dea: await connect('dea'), stager: await connect('stager'), health: await connect('health_manager') };
  const db = openDatabase<{ jobs: { guid: string; claims: number; state: string } }>(database.url, {
    schema: 'controller',
    max: 2,
  });
  stack.defer(() => db.destroy());
  return { stack, a, b, buses, db };
}

/** A stager that takes every build and has `work` do the rest. */
function playStager(bus: Bus, work: (request: StagingStart) => unknown): Disposable {
  bus.subscribe(subjects.stagingStart, ['s1'], (request, message) => {
    message.respond({ task_id: request.task_id, task_streaming_log_url: null, error: null });
    work(request);
  });
  const say = () =>
    bus.publish(subjects.stagingAdvertise, [], { id: 's1', stacks: ['stackato'], available_memory: 8192, tasks: [] });
  return repeated(say, bus.subscribe(subjects.stagingLocate, [], say));
}

/** Says it now and every second: who is not heard any more is taken for gone. */
function repeated(say: () => void, whenAsked: Disposable): Disposable {
  say();
  const timer = setInterval(say, 1000);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      whenAsked[Symbol.dispose]();
    },
  };
}

function playDea(bus: Bus): { starts: Start[]; beat: () => void } & Disposable {
  const starts: Start[] = [];
  bus.subscribe(subjects.deaStart, ['d1'], (start) => void starts.push(start));
  const say = () =>
    bus.publish(subjects.deaAdvertise, [], {
      ...{ id: 'd1', available_memory: 65_536, available_disk: 65_536, stacks: ['stackato'], app_id_to_count: {} },
      placement_properties: { zone: 'default' },
    });
  const saying = repeated(say, bus.subscribe(subjects.deaLocate, [], say));
  const beat = () =>
    bus.publish(subjects.deaHeartbeat, [], {
      dea: 'd1',
      droplets: starts.map(({ droplet, version, index }, n) => ({
        ...{ droplet, version, index, state: 'RUNNING', cc_partition: 'default', instance: `i${n}` },
        state_timestamp: Date.now() / 1000,
      })),
    });
  return { starts, beat, [Symbol.dispose]: () => saying[Symbol.dispose]() };
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>, timeoutMs = 15_000): Promise<T> {
  for (const endMs = Date.now() + timeoutMs; ; ) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < endMs, `${what} within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Uploads the droplet and posts the result of a build, all at one controller. */
async function finishBuild(request: StagingStart, at: ControllerNode): Promise<void> {
  const put = await fetch(at.at(request.upload_uri), { method: 'PUT', body: 'a droplet' });
  assert.equal(put.status, 200, await put.text());
  const result = {
    ...{ task_id: request.task_id, app_id: request.app_id, detected_buildpack: 'Node.js', buildpack_key: null },
    ...{ droplet_sha1: null, detected_start_command: 'npm start', procfile: { web: 'node server.js' } },
    ...{ error: null, error_info: null },
  };
  const answer = await fetch(at.at(request.completion_uri), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(result),
  });
  assert.ok(answer.ok, await answer.text());
}

async function createApp(node: ControllerNode, space: string, name: string): Promise<string> {
  const made = await node.call('POST', '/v3/apps', { name, relationships: { space: { data: { guid: space } } } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.guid;
}

/** Pushes as a client behind routers would: each request goes to the other controller than the one before. */
async function push(a: ControllerNode, b: ControllerNode, app: string): Promise<Desired> {
  const relationships = { app: { data: { guid: app } } };
  const pkg = await b.call('POST', '/v3/packages', { type: 'bits', relationships });
  const form = new FormData();
  form.set('resources', '[]');
  form.set('bits', new Blob([new Uint8Array(await zipOf({ 'server.js': 'x'.repeat(100_000) }))]), 'package.zip');
  const uploaded = await a.call('POST', `/v3/packages/${pkg.body.guid}/upload`, form);
  assert.equal(uploaded.status, 200, JSON.stringify(uploaded.body));
  assert.equal((await b.call('GET', `/v3/packages/${pkg.body.guid}`)).body.state, 'READY');
  const build = await b.call('POST', '/v3/builds', { package: { guid: pkg.body.guid } });
  assert.equal(build.status, 201, JSON.stringify(build.body));
  const staged = await until('the build ends', async () => {
    const { body } = await a.call('GET', `/v3/builds/${build.body.guid}`);
    return body.state !== 'STAGING' && body;
  });
  assert.equal(staged.state, 'STAGED', JSON.stringify(staged));
  const droplet = { data: { guid: staged.droplet.guid } };
  assert.equal((await b.call('PATCH', `/v3/apps/${app}/relationships/current_droplet`, droplet)).status, 200);
  assert.equal((await a.call('POST', `/v3/apps/${app}/actions/start`)).status, 200);
  return { app, process: (await b.call('GET', `/v3/apps/${app}/processes/web`)).body.guid };
}

test('two controllers are one: whichever is asked, and when one of them is lost', async (context) => {
  const { stack, a, b, buses, db } = await twoControllers();
  await using _ = stack;
  const dea = stack.use(playDea(buses.dea));
  let finishAt = b;
  stack.use(playStager(buses.stager, (request) => finishBuild(request, finishAt)));
  // Migrations and seeds of both run at once on an empty database.
  await Promise.all([a.run(), b.run()]);
  const expiresAtS = Math.floor(Date.now() / 1000) + 60;
  await a.first(signPath(KEY, { method: 'POST', path: '/internal/v1/first_admin', expiresAtS }), ADMIN);
  a.token = await b.logIn(ADMIN);
  b.token = await a.logIn(ADMIN);
  const org = (await a.call('POST', '/v3/organizations', { name: 'acme' })).body.guid;
  const relationships = { organization: { data: { guid: org } } };
  const space = (await b.call('POST', '/v3/spaces', { name: 'dev', relationships })).body.guid;
  const app = await createApp(a, space, 'shop');

  await context.test('a push whose every request reaches the other controller starts one instance', async () => {
    const { process } = await push(a, b, app);
    await until('the start', async () => dea.starts.length > 0);
    dea.beat();
    for (const node of [a, b]) {
      await until('RUNNING is shown', async () => {
        const { body } = await node.call('GET', `/v3/processes/${process}/stats`);
        return body.resources[0].state === 'RUNNING';
      });
    }
    assert.equal(dea.starts.length, 1);
    const bits = await fetch(b.at(dea.starts[0]?.executableUri ?? ''));
    assert.equal(await bits.text(), 'a droplet');
  });

  await context.test('what the health manager asks for is done once', async () => {
    const before = dea.starts.length;
    const { droplet, version } = dea.starts[0] as Start;
    const credentials = await buses.health.request(subjects.bulkCredentials, [], {}, { timeoutMs: 1000, expected: 2 });
    assert.equal(credentials.length, 1);
    for (let n = 1; n <= 10; n++) {
      const request = { droplet, version, indices: [0], running: {}, last_updated: 0 };
      buses.health.publish(subjects.healthStart, [], request as PayloadOf<typeof subjects.healthStart>);
    }
    await until('ten starts', async () => dea.starts.length >= before + 10);
    await a.call('GET', '/v3/apps');
    assert.equal(dea.starts.length, before + 10);
  });

  await context.test('a start that one controller sent is shown by the other, and a refusal as well', async () => {
    const { process } = await push(a, b, await createApp(a, space, 'fresh'));
    const shownBy = async (node: ControllerNode) =>
      (await node.call('GET', `/v3/processes/${process}/stats`)).body.resources[0];
    await until('STARTING is shown', async () => (await shownBy(b)).state === 'STARTING');
    const wide = { memory_in_mb: 90_000 };
    const scaled = await a.call('POST', `/v3/processes/${process}/actions/scale`, wide);
    assert.equal(scaled.status, 202, JSON.stringify(scaled.body));
    await b.call('POST', `/v3/apps/${process}/actions/restart`);
    const shown = await until('DOWN is shown', async () => {
      const instance = await shownBy(a);
      return instance.state === 'DOWN' && instance.details !== null && instance;
    });
    assert.match(shown.details, /memory/);
    await a.call('DELETE', `/v3/apps/${process}`);
  });

  await context.test('routes mapped through both at once are all told, the last word being the whole', async () => {
    const told: Record<string, readonly string[]> = {};
    buses.dea.subscribe(subjects.deaUpdate, [], ({ droplet, uris }) => {
      told[droplet] = uris ?? [];
    });
    const domain = (await a.call('GET', '/v3/domains')).body.resources[0].guid;
    const map = async (n: number) => {
      const node = n % 2 ? a : b;
      const owners = { space: { data: { guid: space } }, domain: { data: { guid: domain } } };
      const route = await node.call('POST', '/v3/routes', { host: `shop-${n}`, relationships: owners });
      const other = n % 2 ? b : a;
      const destinations = [{ app: { guid: app } }];
      const mapped = await other.call('POST', `/v3/routes/${route.body.guid}/destinations`, { destinations });
      assert.equal(mapped.status, 200, JSON.stringify(mapped.body));
    };
    await Promise.all(Array.from({ length: 12 }, (_, n) => map(n)));
    await until('all are told', async () => told[app]?.length === 12);
    await a.call('GET', '/v3/apps');
    assert.equal(told[app]?.length, 12, 'nothing older comes after');
  });

  await context.test('one package takes one upload at a time, whichever controller receives it', async () => {
    const pkg = (
      await a.call('POST', '/v3/packages', { type: 'bits', relationships: { app: { data: { guid: app } } } })
    ).body.guid;
    const bits = new Uint8Array(await zipOf({ 'server.js': 'y'.repeat(200_000) }));
    const answers = await Promise.all(
      [a, b, a, b].map((node) => {
        const form = new FormData();
        form.set('bits', new Blob([bits]), 'package.zip');
        return node.call('POST', `/v3/packages/${pkg}/upload`, form);
      }),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 422, 422, 422]);
    assert.equal((await b.call('GET', `/v3/packages/${pkg}`)).body.state, 'READY');
  });

  await context.test('jobs of a controller that is killed are finished by the other, each once', async () => {
    const apps = await Promise.all(Array.from({ length: 16 }, (_, n) => createApp(n % 2 ? a : b, space, `app-${n}`)));
    const jobs = await Promise.all(apps.map((guid) => a.call('DELETE', `/v3/apps/${guid}`)));
    await a.kill();
    assert.ok(jobs.every(({ status, job }) => status === 202 && job !== undefined));
    // What the killed one held is free when its lease is over.
    await sql`update jobs set lease_until = now() where lease_until is not null`.execute(db);
    for (const { job } of jobs) {
      await until('the job ends', async () => {
        const { body } = await b.call('GET', `/v3/jobs/${job}`);
        assert.notEqual(body.state, 'FAILED', JSON.stringify(body));
        return body.state === 'COMPLETE';
      });
    }
    const left = (await b.call('GET', `/v3/apps?space_guids=${space}`)).body.resources;
    assert.deepEqual(
      left.map(({ name }: { name: string }) => name),
      ['shop'],
    );
  });

  await context.test('a build whose controller is killed ends at the other, and the next push works', async () => {
    finishAt = b;
    await push(b, b, await createApp(b, space, 'second'));
    await a.run();
    a.token = await b.logIn(ADMIN);
    await push(b, a, await createApp(a, space, 'third'));
  });
});
