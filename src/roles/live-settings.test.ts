import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startLoginServer } from '../aok/testing/login-server.ts';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { appWorld } from '../controller/testing/app-world.ts';
import { zipOf } from '../controller/testing/zip.ts';
import { effectOf, liveSettings } from '../core/config-effect.ts';
import { openHarness } from '../dea/testing/harness.ts';
import { HealthManager } from '../health/health-manager.ts';
import { soleLeadership } from '../health/leadership.ts';
import { forgetfulNotebook } from '../health/notebook.ts';
import { LogStore } from '../logyard/log-store.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { takeLiveSettings } from '../platform/config.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { watchReads } from '../platform/testing/settings-reads.ts';
import { stagerWorld } from '../stager/testing/stager-world.ts';

/** Settings whose reader was started here and had not read them yet, or was seen to go by another value at once. */
const proven = new Set<string>();
const watched = (settings: unknown = {}) => watchReads(decode(ClusterConfig, settings, 'config'));

/** What was not read while everything was built and started can't have been kept from then. */
function unread(reads: ReadonlySet<string>, sections: readonly string[], except: readonly string[] = []): void {
  const live = liveSettings.filter((one) => sections.includes(one.split('.')[0] ?? '') && !except.includes(one));
  assert.deepEqual(
    live.filter((one) => reads.has(one)),
    [],
    'read at start, so that a change would not count',
  );
  for (const one of live) proven.add(one);
}

test('a controller reads them when it needs them', async () => {
  const { config, reads } = watched();
  await using _world = await appWorld({ config });
  unread(reads, ['cluster', 'controller', 'staging']);
});

test('a controller goes by new ones at once', async () => {
  const { config } = watched();
  await using world = await appWorld({ config });
  config.cluster.name = 'acme cloud';
  config.controller.defaultMemoryMb = 96;
  config.controller.maxUploadMb = 0;
  assert.equal((await world.call('GET', '/v3/info')).body.name, 'acme cloud');
  const app = await world.createApp('shop');
  const web = await world.call('GET', `/v3/apps/${app}/processes/web`);
  assert.equal(web.body.memory_in_mb, 96);
  const upload = async () => {
    const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
    const { guid } = (await world.call('POST', '/v3/packages', { body })).body;
    return world.sendMultipart(`/v3/packages/${guid}/upload`, { bits: await zipOf({ 'a.txt': 'a' }) });
  };
  assert.match(JSON.stringify((await upload()).body), /may not be larger than 0 MB/);
  config.controller.maxUploadMb = 1;
  assert.equal((await upload()).status, 200);
});

test('a login server reads them when it needs them', async () => {
  const { config, reads } = watched();
  await using login = await startLoginServer({}, { config, isClaimed: false });
  unread(reads, ['aok'], ['aok.accessTokenS']);
  const who = { email: 'admin@example.com', password: 'shortish' };
  config.aok.passwordMinLength = 20;
  assert.notEqual((await login.firstAdmin(who)).status, 201);
  config.aok.passwordMinLength = 4;
  assert.equal((await login.firstAdmin(who)).status, 201);
  config.aok.accessTokenS = 77;
  const fields = { grant_type: 'password', username: who.email, password: who.password };
  assert.equal((await login.token(fields)).body.expires_in, 76);
  proven.add('aok.accessTokenS');
});

test('a health manager reads them when it needs them', async () => {
  const { config, reads } = watched();
  const clock = new FakeClock();
  const source = { read: async () => new Map() };
  const adapters = { source, leadership: soleLeadership(), notebook: forgetfulNotebook() };
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  await using manager = new HealthManager({ bus, clock, log: silentLog, config: config.health, ...adapters });
  manager.start();
  await settle();
  unread(reads, ['health'], ['health.heartbeatLostMs']);
  const lost = { dea: 'd', started_at_ms: 0, interval_ms: 2000, droplets: [] };
  manager.world.hearHeartbeat(lost, clock.nowMs());
  config.health.heartbeatLostMs = 500;
  assert.deepEqual(manager.world.sweep(clock.nowMs() + 600), ['d']);
  proven.add('health.heartbeatLostMs');
});

test('a log server reads them when it needs them', async () => {
  await using folder = await temporaryDirectory('live-settings-test');
  const { config, reads } = watched();
  const store = new LogStore({
    directory: folder.path,
    config: config.logyard,
    clock: new FakeClock(),
    log: silentLog,
  });
  unread(reads, ['logyard']);
  config.logyard.lineBytes = 300;
  const line = { at: '1', source: 'APP', instance: '0', type: 'OUT' as const, text: 'x'.repeat(500) };
  store.append({ app: 'a', tags: {}, lines: [line] });
  assert.equal(store.ring('a')?.all()[0]?.text.length, 300);
  await store.flush();
});

test('a stager reads them when it needs them', async () => {
  const { config, reads } = watched();
  await using world = await stagerWorld({ config });
  unread(reads, ['staging', 'stager'], ['stager.maxTasks']);
  const free: number[] = [];
  world.bus.subscribe(subjects.stagingAdvertise, [], (offer) => void free.push(offer.available_memory));
  config.stager.maxTasks = 0;
  world.bus.publish(subjects.stagingLocate, [], {});
  await settle();
  assert.deepEqual(free, [0]);
  proven.add('stager.maxTasks');
});

test('a DEA offers what is set now', async () => {
  const { config, reads } = watched({ dea: { memoryMb: 1024, diskMb: 4096 } });
  await using harness = await openHarness({ config });
  const offer = ['dea.memoryMb', 'dea.memoryOvercommit', 'dea.diskMb'];
  unread(reads, ['dea'], offer);
  const offered = async () => {
    await harness.clock.advance(config.dea.advertiseS * 1000);
    return harness.heard.advertised.at(-1);
  };
  const before = await offered();
  Object.assign(config.dea, { memoryMb: 512, diskMb: 2048 });
  const after = await offered();
  assert.deepEqual([before?.available_memory, after?.available_memory], [1024, 512]);
  config.dea.memoryOvercommit = 2;
  assert.equal((await offered())?.available_memory, 1024);
  for (const one of offer) proven.add(one);
});

after(() =>
  assert.deepEqual(
    liveSettings.filter((one) => !proven.has(one)),
    [],
    'nothing here proves these',
  ),
);

test('a setting that is taken over by running processes asks for no restart, and all others do', () => {
  for (const one of liveSettings) assert.deepEqual(effectOf(one), { roles: [], processes: [], isWhole: false });
  assert.deepEqual(effectOf('staging.environment.HTTP_PROXY').processes, []);
  assert.notDeepEqual(effectOf('controller.port').processes, []);
});

test('running processes take over what is live, and nothing else', () => {
  const [config, next] = [decode(ClusterConfig, {}, 'a'), decode(ClusterConfig, {}, 'b')];
  next.controller.maxUploadMb = 7;
  next.staging.environment = { HTTP_PROXY: 'http://proxy:3128' };
  next.controller.port = 1;
  const kept = config.controller;
  assert.deepEqual(takeLiveSettings(config, next), ['controller.maxUploadMb', 'staging.environment']);
  assert.deepEqual([kept.maxUploadMb, config.staging.environment.HTTP_PROXY], [7, 'http://proxy:3128']);
  assert.equal(config.controller.port, 8022);
  assert.deepEqual(takeLiveSettings(config, next), []);
});
