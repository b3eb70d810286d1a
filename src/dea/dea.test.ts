import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { ContainerError } from '../container/container.ts';
import { subjects } from '../contract/subjects.ts';
import { settle } from '../platform/clock.ts';
import { openHarness } from './testing/harness.ts';

const states = (harness: Awaited<ReturnType<typeof openHarness>>) =>
  harness.dea.registry.list().map(({ message, state }) => `${message.index} ${state}`);
const texts = (harness: Awaited<ReturnType<typeof openHarness>>) => harness.heard.lines.map(({ text }) => text);

test('a start ends RUNNING: registered, in the heartbeat, in the advertisement, told in the log', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.deepEqual(states(dea), ['0 RUNNING']);
  assert.deepEqual(dea.heard.registered.at(-1), {
    host: '10.0.0.9',
    port: 40_001,
    uris: ['shop.example'],
    app: 'app-1',
    tags: { space_name: 'dev', component: 'dea', app_name: 'shop', process_type: 'web' },
    private_instance_id: instance?.id,
    private_instance_index: '0',
    availability_zone: 'default',
  });
  assert.deepEqual(
    dea.heard.heartbeats.at(-1)?.droplets.map(({ state, index }) => [state, index]),
    [['RUNNING', 0]],
  );
  assert.deepEqual(dea.heard.advertised.at(-1)?.app_id_to_count, { 'process-1': 1 });
  assert.equal(dea.heard.advertised.at(-1)?.available_memory, 1024 - 64);
  assert.match(texts(dea).join('\n'), /creating container.*successfully created.*Container became healthy/s);
});

test('heartbeats come every two seconds with the whole list, also when it is empty', async () => {
  await using dea = await openHarness();
  const before = dea.heard.heartbeats.length;
  await dea.clock.advance(10_000);
  assert.equal(dea.heard.heartbeats.length - before, 5);
  assert.deepEqual(dea.heard.heartbeats.at(-1)?.droplets, []);
});

test('a second start of the same index and version is ignored, another version is not', async () => {
  await using dea = await openHarness();
  await dea.start();
  await dea.start();
  assert.equal(dea.dea.registry.list().length, 1);
  await dea.start({ version: 'v2' });
  await dea.start({ index: 1 });
  assert.equal(dea.dea.registry.list().length, 3);
});

test('an instance that does not fit is given back with numbers, which is no crash', async () => {
  await using dea = await openHarness();
  await dea.start({ limits: { mem: 2048, disk: 10, fds: 100 } });
  assert.deepEqual(dea.heard.refused, [
    {
      ...{ dea: 'd'.repeat(32), droplet: 'process-1', version: 'v1', index: 0, refused_by: [] },
      because: 'not enough memory there: 2048 MB wanted, 1024 MB free',
    },
  ]);
  assert.deepEqual([dea.heard.exited, states(dea)], [[], []]);
});

test('a start that fails for want of something of this node is given back, and nothing is left of it', async () => {
  await using dea = await openHarness();
  for (const kind of ['no-such-stack', 'disk-full', 'no-free-port', 'no-free-address'] as const) {
    dea.engine.failNext('create', new ContainerError(kind, `it is ${kind}`));
    await dea.start({ x: { ...workerExtra, refused_by: ['other'] } });
    const refused = dea.heard.refused.at(-1);
    assert.deepEqual([refused?.because, refused?.refused_by], [`it is ${kind}`, ['other']]);
  }
  assert.deepEqual([dea.heard.exited, states(dea), await dea.engine.list()], [[], [], []]);
  assert.deepEqual(dea.heard.heartbeats.at(-1)?.droplets, []);
  dea.engine.failNext('create', new ContainerError('disk-full', 'Disk quota exceeded'));
  await dea.start();
  assert.deepEqual(states(dea), ['0 CRASHED'], 'its own disk is too small everywhere');
});

test('an exit is told at once: unregistered, exited, heartbeat, log', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.ok(instance);
  dea.engine.process(instance.id).print('last words', 'stderr');
  dea.engine.process(instance.id).exit(3);
  await settle();
  const [exit] = dea.heard.exited;
  assert.deepEqual(
    [exit?.reason, exit?.exit_status, exit?.exit_description, exit?.instance],
    ['CRASHED', 3, 'APP/PROC/WEB: Exited with status 3', instance.id],
  );
  assert.equal(dea.heard.unregistered.at(-1)?.private_instance_id, instance.id);
  assert.deepEqual(
    dea.heard.heartbeats.at(-1)?.droplets.map(({ state }) => state),
    ['CRASHED'],
  );
  const said = texts(dea);
  assert.ok(said.indexOf('last words') >= 0 && said.indexOf('last words') < said.indexOf('Exit status 3'));
  assert.equal(dea.dea.capacity.available().memoryMb, 1024);
});

test('out of memory is called that', async () => {
  await using dea = await openHarness({ script: (process) => process.exit(137, { outOfMemory: true }) });
  await dea.start();
  assert.match(dea.heard.exited[0]?.exit_description ?? '', /^out of memory/);
});

test('a crash with a full disk says so', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.ok(instance);
  dea.engine.setStats(instance.id, { diskBytes: 127.9 * 1_048_576, refusedForks: 3 });
  dea.engine.process(instance.id).exit(1);
  await settle();
  assert.equal(
    dea.heard.exited[0]?.exit_description,
    'APP/PROC/WEB: Exited with status 1; its disk of 128M is full; it may have no more than 512 processes and threads',
  );
  assert.match(texts(dea).at(-1) ?? '', /crashed: .*; its disk of 128M is full/);
});

test('an instance that goes on is told once what it ran short of', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.ok(instance);
  const told = () => texts(dea).filter((text) => /memory|processes|disk/.test(text));
  dea.engine.setStats(instance.id, { memoryKills: 1, diskBytes: 128 * 1_048_576 });
  await dea.clock.advance(20_000);
  assert.deepEqual(told(), [
    'Out of memory: a process of it was killed as it used its 64M',
    'Its disk of 128M is full',
  ]);
  dea.engine.setStats(instance.id, { memoryKills: 2 });
  await dea.restart();
  await dea.clock.advance(20_000);
  assert.equal(told().length, 2, 'a predecessor may have told it');
  dea.engine.setStats(instance.id, { memoryKills: 4 });
  await dea.clock.advance(5000);
  assert.equal(told().at(-1), 'Out of memory: 2 processes of it were killed as it used its 64M');
});

test('a flood is cut, said once and counted once a second', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.ok(instance);
  const run = dea.engine.process(instance.id);
  const told = () => texts(dea).filter((text) => /exceeded|dropped/.test(text));
  for (let second = 0; second < 3; second++) {
    for (let line = 0; line < 15_000; line++) run.print('x');
    await dea.clock.advance(1000);
  }
  assert.deepEqual(told(), [
    'app instance exceeded log rate limit (2000 lines/sec)',
    ...['dropped 5000 log lines (4.9K) of this instance', 'dropped 13000 log lines (12.7K) of this instance'],
    'dropped 13000 log lines (12.7K) of this instance',
  ]);
  for (let line = 0; line < 5000; line++) run.print('x');
  run.exit(0);
  await settle();
  assert.equal(told().at(-1), 'dropped 3000 log lines (2.9K) of this instance', 'the end is not lost');
});

test('an app that never listens is told where it does listen', async () => {
  const table = '   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  2000 0 1';
  await using dea = await openHarness({
    script: (process) => process.listen(3000),
    exec: () => ({ code: 0, stdout: table, stderr: '' }),
  });
  await dea.start();
  await dea.clock.advance(59_000);
  assert.deepEqual(states(dea), ['0 STARTING']);
  await dea.clock.advance(3000);
  assert.deepEqual(states(dea), ['0 CRASHED']);
  assert.equal(
    dea.heard.exited[0]?.exit_description,
    'failed to accept connections on port 8080 within 60 s; the process listens on 3000; make it listen on $PORT',
  );
});

test('a worker without routes is healthy as long as it lives', async () => {
  await using dea = await openHarness({ script: () => {} });
  await dea.start({ uris: [], x: { ...workerExtra } });
  assert.deepEqual(states(dea), ['0 RUNNING']);
  await dea.clock.advance(120_000);
  assert.deepEqual(states(dea), ['0 RUNNING']);
});

test('an app that hangs later is taken from the routers, stopped and told', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [instance] = dea.dea.registry.list();
  assert.ok(instance);
  dea.engine.process(instance.id).unlisten(8080);
  await dea.clock.advance(31_000);
  assert.equal(dea.heard.unregistered.at(-1)?.private_instance_id, instance.id);
  await dea.clock.advance(3000);
  assert.equal(dea.heard.exited[0]?.exit_description, 'health check: port 8080 refused the connection');
});

test('a stop goes in order: routers, drain, SIGTERM, grace, SIGKILL, nothing left', async () => {
  const signals: string[] = [];
  await using dea = await openHarness({
    script: (process) => {
      process.listen(8080);
      process.on('SIGTERM', () => signals.push('SIGTERM'));
    },
  });
  await dea.start();
  await dea.stop({ droplet: 'process-1' });
  assert.equal(dea.heard.unregistered.length, 1);
  assert.deepEqual(signals, []);
  await dea.clock.advance(200);
  assert.deepEqual(signals, ['SIGTERM']);
  assert.deepEqual(states(dea), ['0 STOPPING']);
  await dea.clock.advance(10_000);
  assert.deepEqual(states(dea), []);
  assert.deepEqual(await dea.engine.list(), []);
  assert.deepEqual(
    dea.heard.exited.map(({ reason, exit_status }) => [reason, exit_status]),
    [['STOPPED', 137]],
  );
});

test('all filters of a stop must match', async () => {
  await using dea = await openHarness();
  for (const index of [0, 1, 2]) await dea.start({ index });
  const [first] = dea.dea.registry.list();
  await dea.stop({ droplet: 'other' });
  await dea.stop({ droplet: 'process-1', version: 'v9' });
  await dea.stop({ droplet: 'process-1', indices: [1], states: ['STARTING'] });
  await dea.stop({ droplet: 'process-1', instances: [first?.id ?? ''], indices: [2] });
  assert.deepEqual(states(dea), ['0 RUNNING', '1 RUNNING', '2 RUNNING']);
  await dea.stop({ droplet: 'process-1', instance_ids: [first?.id ?? ''] });
  await dea.stop({ droplet: 'process-1', indices: [1], states: ['RUNNING'] });
  await dea.clock.advance(300);
  assert.deepEqual(states(dea), ['2 RUNNING']);
});

test('a stop during the start leaves nothing', async () => {
  await using dea = await openHarness({ script: () => {} });
  await dea.start();
  assert.deepEqual(states(dea), ['0 STARTING']);
  await dea.stop({ droplet: 'process-1' });
  await dea.clock.advance(11_000);
  assert.deepEqual(states(dea), []);
  assert.deepEqual(await dea.engine.list(), []);
  assert.deepEqual(dea.heard.registered, []);
});

test('an update says only what changed', async () => {
  await using dea = await openHarness();
  await dea.start({ uris: ['a.example', 'b.example'] });
  dea.heard.registered.length = 0;
  dea.bus.publish(subjects.deaUpdate, [], { droplet: 'process-1', uris: ['b.example', 'c.example'] });
  await settle();
  assert.deepEqual(
    dea.heard.registered.map(({ uris }) => uris),
    [['c.example']],
  );
  assert.deepEqual(
    dea.heard.unregistered.map(({ uris }) => uris),
    [['a.example']],
  );
  await dea.clock.advance(20_000);
  assert.deepEqual(dea.heard.registered.at(-1)?.uris, ['b.example', 'c.example']);
});

test('find.droplet: each match answers, with usage when asked', async () => {
  await using dea = await openHarness();
  await dea.start();
  await dea.start({ index: 1 });
  const [first] = dea.dea.registry.list();
  assert.ok(first);
  await dea.clock.advance(10_000);
  dea.engine.setStats(first.id, { cpuNs: 5e9, memoryBytes: 1000, diskBytes: 2000 });
  const ask = { droplet: 'process-1', include_stats: true };
  const found = await dea.bus.request(subjects.deaFindDroplet, [], ask, { timeoutMs: 5000, expected: 2 });
  const stats = found.find(({ index }) => index === 0)?.stats;
  assert.deepEqual(
    [stats?.usage.cpu, stats?.usage.mem, stats?.usage.disk, stats?.mem_quota, stats?.uptime, stats?.port],
    [0.5, 1000, 2000, 64 * 1_048_576, 10, 40_001],
  );
  // 64 of 1024 MB entitle to a sixteenth of the cores.
  assert.equal(stats?.usage.cpu_entitlement, 0.5 / (availableParallelism() / 16));
  const none = await dea.bus.request(subjects.deaFindDroplet, [], { droplet: 'x' }, { timeoutMs: 20 });
  assert.deepEqual(none, []);
});

test('the newest crash of an index is kept for an hour, then removed', async () => {
  await using dea = await openHarness({ script: (process) => process.exit(1) });
  await dea.start();
  await dea.start();
  assert.deepEqual(states(dea), ['0 CRASHED', '0 CRASHED']);
  await dea.clock.advance(10_000);
  assert.deepEqual(states(dea), ['0 CRASHED']);
  await dea.clock.advance(3_600_000);
  assert.deepEqual(states(dea), []);
  assert.deepEqual(await dea.engine.list(), []);
});

test('shutting down stops all, says so, and starts nothing more', async () => {
  await using dea = await openHarness();
  await dea.start();
  const ended = dea.dea.shutDown();
  await dea.start({ index: 1 });
  await dea.clock.advance(300);
  await ended;
  assert.deepEqual(
    dea.heard.refused.map(({ index, because }) => [index, because]),
    [[1, 'it is shutting down']],
  );
  assert.deepEqual(dea.heard.shutdowns.at(0)?.app_id_to_count, { 'process-1': 1 });
  assert.deepEqual(
    dea.heard.exited.map(({ reason, index }) => [reason, index]),
    [['DEA_SHUTDOWN', 0]],
  );
  assert.deepEqual(await dea.engine.list(), []);
});

const workerExtra = {
  sha256: 'cd'.repeat(32),
  app_guid: 'app-1',
  process_type: 'worker',
  vcap_services: {},
  health_check: { type: 'process' as const, timeout_s: 60, invocation_timeout_s: 1, interval_s: 30 },
  route_protocols: {},
  log_rate_limit_bytes_s: -1,
  tags: {},
};

test('an evacuated instance serves until it is stopped; nothing more is taken or offered', async () => {
  await using dea = await openHarness();
  await dea.start();
  const evacuate = async () =>
    (await dea.bus.request(subjects.deaEvacuate, ['d'.repeat(32)], {}, { timeoutMs: 20 }))[0]?.instances;
  assert.equal(await evacuate(), 1);
  assert.deepEqual(states(dea), ['0 EVACUATING']);
  assert.deepEqual(
    dea.heard.heartbeats.at(-1)?.droplets.map(({ state }) => state),
    ['EVACUATING'],
  );
  assert.equal(dea.heard.shutdowns.length, 1);
  const before = { offers: dea.heard.advertised.length, registrations: dea.heard.registered.length };
  await dea.start({ index: 1 });
  await dea.clock.advance(60_000);
  assert.deepEqual(
    dea.heard.refused.map(({ index, because }) => [index, because]),
    [[1, 'it is shutting down']],
  );
  assert.equal(dea.heard.advertised.length, before.offers);
  assert.ok(dea.heard.registered.length > before.registrations, 'routers keep it');
  assert.deepEqual([dea.heard.unregistered, await evacuate()], [[], 1]);
  await dea.stop({ droplet: 'process-1' });
  await dea.clock.advance(11_000);
  assert.equal(await evacuate(), 0);
  assert.equal(dea.heard.shutdowns.length, 1, 'said once');
});
