import assert from 'node:assert/strict';
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { seededRandom } from '../platform/random.ts';
import { FakeSupervisor } from '../supervisor/fake.ts';
import { HostsKeeper } from './hosts-keeper.ts';
import { LogShipper } from './log-shipper.ts';
import { NodeReporter } from './node-reporter.ts';
import { PrimaryCopy } from './primary-copy.ts';

const newBus = () => new MemoryBus(new MemoryBroker(), silentLog);

test('ships new lines of every log once, whole and in order, also over a rotation', async () => {
  await using folder = await temporaryDirectory('log-shipper');
  const at = (name: string) => join(folder.path, name);
  const bus = newBus();
  const clock = new FakeClock();
  const lines: string[] = [];
  bus.subscribe(subjects.systemLog, ['*'], ({ process, lines: some }) => {
    lines.push(...some.map((line) => `${process}: ${line}`));
  });
  await writeFile(at('dea.log'), 'from before\n');
  const shipper = new LogShipper({ bus, clock, log: silentLog, folder: folder.path, node: 'n' });
  await shipper.start();
  await appendFile(at('dea.log'), 'one\ntwo\nhal');
  await shipper.look();
  await appendFile(at('dea.log'), 'f\n');
  await shipper.look();
  await rename(at('dea.log'), at('dea.log.1'));
  await writeFile(at('dea.log'), 'after\n');
  await writeFile(at('aok.log'), 'new file\n');
  await shipper[Symbol.asyncDispose]();
  await bus.flush();
  assert.deepEqual(
    lines.filter((line) => line.startsWith('dea')),
    ['dea: one', 'dea: two', 'dea: half', 'dea: after'],
  );
  assert.ok(lines.includes('aok: new file'));
});

test('keeps the names of endpoints and registered apps in the hosts file, and takes lost ones out', async () => {
  await using folder = await temporaryDirectory('hosts-keeper');
  const file = join(folder.path, 'hosts');
  await writeFile(file, '127.0.0.1 localhost\n');
  const bus = newBus();
  const clock = new FakeClock();
  const options = { bus, clock, log: silentLog, file, domain: 'x.localhost', pruneS: 120 };
  const keeper = new HostsKeeper(options);
  await keeper.start();
  bus.publish(subjects.routerRegister, [], {
    host: '10.0.0.1',
    port: 1,
    uris: ['app.x.localhost/path', 'bank.example'],
  });
  await bus.flush();
  await keeper[Symbol.asyncDispose]();
  const withApp = await readFile(file, 'utf8');
  assert.match(withApp, /^127\.0\.0\.1 localhost$/m);
  assert.match(withApp, /\bapi\.x\.localhost\b/);
  assert.match(withApp, /\bapp\.x\.localhost\b/);
  assert.doesNotMatch(withApp, /bank/);

  await using successor = new HostsKeeper(options);
  await successor.start();
  assert.equal(await readFile(file, 'utf8'), withApp, 'a restart forgets nothing');
  await clock.advance(121_000);
  await successor.keep();
  assert.doesNotMatch(await readFile(file, 'utf8'), /app\.x\.localhost/);
});

test('copies what the primary keeps when told of a change, asking again when the answer is too old', async () => {
  const bus = newBus();
  const clock = new FakeClock();
  const copies: unknown[] = [];
  const answers = [
    { revision: 1, config: 'old' },
    { revision: 2, config: 'new' },
  ];
  const apply = async (value: unknown) => void copies.push(value);
  using copy = PrimaryCopy.ofConfig({ bus, clock, log: silentLog, apply });
  bus.subscribe(subjects.configGet, [], (_empty, message) => {
    const answer = answers.shift();
    if (answer !== undefined) message.respond(answer);
  });
  bus.publish(subjects.configChanged, [], { revision: 2 });
  const done = copy.refresh();
  await settle();
  await clock.advance(1000);
  await done;
  assert.deepEqual(copies, [
    { revision: 1, config: 'old' },
    { revision: 2, config: 'new' },
  ]);
});

test('reports a process as ready only when it answers under the pid that runs', async () => {
  const bus = newBus();
  const supervisor = new FakeSupervisor();
  const program = { command: ['x'], environment: {}, priority: 1, stopWaitS: 1 };
  await supervisor.configure([{ ...program, name: 'dea' }]);
  await supervisor.ensureRunning();
  await supervisor.start('dea');
  const pid = (await supervisor.list())[0]?.pid ?? 0;
  const node = {
    id: seededRandom().hex(16),
    index: 0,
    address: '10.0.0.1',
    coreAddress: '10.0.0.1',
    roles: ['dea'],
    zone: 'default',
    availabilityZone: 'default',
  };
  let answering = pid + 1;
  using reporter = new NodeReporter({
    bus,
    boot: { node, clock: new FakeClock(), log: silentLog },
    supervisor,
    probes: async () => [{ name: 'dea', pid: answering, unwell: undefined }],
  });
  assert.equal((await reporter.look()).processes[0]?.ready, false);
  answering = pid;
  assert.equal((await reporter.look()).processes[0]?.ready, true);
});
