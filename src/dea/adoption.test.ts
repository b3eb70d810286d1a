import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceStates } from '../core/instance-state.ts';
import { settle } from '../platform/clock.ts';
import { fateOf } from './adoption.ts';
import { openHarness } from './testing/harness.ts';

test('the fate of every recorded state with every finding', () => {
  const findings = [undefined, { state: 'created' }, { state: 'running' }, { state: 'exited' }] as const;
  const rows = instanceStates.map(
    (state) => `${state}: ${findings.map((found) => fateOf({ state }, found)).join(' ')}`,
  );
  assert.deepEqual(rows, [
    // nothing created running exited
    'BORN: launch-again launch-again go-on go-on',
    'STARTING: launch-again launch-again go-on go-on',
    'RUNNING: report-lost go-on go-on go-on',
    'EVACUATING: report-lost go-on go-on go-on',
    'STOPPING: forget finish-stop finish-stop finish-stop',
    'STOPPED: forget forget forget forget',
    'CRASHED: forget keep-crashed keep-crashed keep-crashed',
  ]);
});

test('instances outlive the process: same container, same routes, in its first heartbeat', async () => {
  await using dea = await openHarness();
  await dea.start();
  const [before] = dea.dea.registry.list();
  await dea.restart(() => {
    dea.heard.registered.length = 0;
    dea.heard.heartbeats.length = 0;
  });
  const [after] = dea.dea.registry.list();
  assert.deepEqual([after?.id, after?.state, after?.placement], [before?.id, 'RUNNING', before?.placement]);
  assert.deepEqual(dea.heard.unregistered, []);
  assert.equal(dea.heard.registered[0]?.private_instance_id, before?.id);
  assert.deepEqual(
    dea.heard.heartbeats[0]?.droplets.map(({ instance }) => instance),
    [before?.id],
  );
  assert.deepEqual(dea.heard.exited, []);
});

test('no log line is lost or repeated across a restart', async () => {
  await using dea = await openHarness();
  await dea.start();
  const id = dea.dea.registry.list()[0]?.id ?? '';
  for (let i = 0; i < 50; i++) dea.engine.process(id).print(`line ${i}`);
  await settle();
  await dea.restart(() => {
    for (let i = 50; i < 100; i++) dea.engine.process(id).print(`line ${i}`);
  });
  for (let i = 100; i < 120; i++) dea.engine.process(id).print(`line ${i}`);
  await settle();
  const lines = dea.heard.lines.filter(({ source }) => source === 'APP/PROC/WEB').map(({ text }) => text);
  assert.deepEqual(
    lines,
    Array.from({ length: 120 }, (_, i) => `line ${i}`),
  );
});

test('an instance that ended while nobody looked is reported crashed', async () => {
  await using dea = await openHarness();
  await dea.start();
  const id = dea.dea.registry.list()[0]?.id ?? '';
  await dea.restart(() => dea.engine.process(id).exit(7));
  assert.deepEqual(
    dea.heard.exited.map(({ instance, reason, exit_status }) => [instance, reason, exit_status]),
    [[id, 'CRASHED', 7]],
  );
});

test('an instance whose container is gone is reported, too', async () => {
  await using dea = await openHarness();
  await dea.start();
  const id = dea.dea.registry.list()[0]?.id ?? '';
  await dea.restart(() => dea.engine.destroy(id));
  assert.deepEqual(
    dea.heard.exited.map(({ instance, exit_description }) => [instance, exit_description]),
    [[id, 'its container is gone']],
  );
});

test('a start under way goes on, with the rest of its time', async () => {
  await using dea = await openHarness({ script: () => {} });
  await dea.start();
  const id = dea.dea.registry.list()[0]?.id ?? '';
  await dea.clock.advance(30_000);
  await dea.restart();
  assert.equal(dea.dea.registry.list()[0]?.state, 'STARTING');
  dea.engine.process(id).listen(8080);
  await dea.clock.advance(2000);
  assert.equal(dea.dea.registry.list()[0]?.state, 'RUNNING');
  assert.deepEqual(dea.heard.exited, []);
});

test('a container of ours that nobody knows is removed, those of others stay', async () => {
  await using dea = await openHarness();
  const spec = { root: { stack: 'stackato' }, limits: { memoryMb: 1, diskMb: 1, pids: 16, fds: 16 } };
  await dea.restart(async () => {
    await dea.engine.create({ ...spec, handle: 'unknown', ports: [], egress: [], labels: { component: 'dea' } });
    await dea.engine.create({ ...spec, handle: 'task', ports: [], egress: [], labels: { component: 'stager' } });
  });
  assert.deepEqual(
    (await dea.engine.list()).map(({ handle }) => handle),
    ['task'],
  );
});
