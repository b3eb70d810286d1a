import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readTextIfExists, temporaryDirectory } from '../platform/files.ts';
import { freePort } from '../platform/testing/free-port.ts';
import { FakeSupervisor } from './fake.ts';
import { supervisorConformance } from './supervisor.conformance.ts';
import type { Program } from './supervisor.ts';
import { Supervisord } from './supervisord.ts';

async function openReal() {
  const folder = await temporaryDirectory('supervisord');
  const supervisor = new Supervisord({
    folder: folder.path,
    logFolder: folder.path,
    state: folder.path,
    port: await freePort(),
    user: 'kato',
    password: 'p%ss',
    environment: { PATH: '/usr/bin:/bin' },
  });
  return {
    supervisor,
    folder: folder.path,
    [Symbol.asyncDispose]: async () => {
      await supervisor.shutdown();
      await folder[Symbol.asyncDispose]();
    },
  };
}

supervisorConformance('in memory', async () => ({
  supervisor: new FakeSupervisor(),
  [Symbol.asyncDispose]: async () => {},
}));
supervisorConformance('supervisord', openReal);

test('supervisord hands a program its arguments and variables unharmed', async () => {
  await using opened = await openReal();
  const { supervisor, folder } = opened;
  const words = ['it\'s "100%" $HOME', 'b c', ''];
  await supervisor.configure([
    {
      name: 'echo',
      command: ['sh', '-c', 'printf "<%s>" "$@" "$GREETING"; echo; exec sleep 600', 'sh', ...words],
      environment: { GREETING: "50% o'clock, $x; y" },
      priority: 1,
      stopWaitS: 5,
    },
  ]);
  await supervisor.ensureRunning();
  await supervisor.start('echo');
  const said = await readFile(join(folder, 'echo.log'), 'utf8');
  assert.equal(said, `<it's "100%" $HOME><b c><><50% o'clock, $x; y>\n`);
});

test('a wrong password is said, not taken for a supervisor that is away', async () => {
  await using opened = await openReal();
  await opened.supervisor.configure([]);
  await opened.supervisor.ensureRunning();
  const config = await readFile(join(opened.folder, 'supervisord.conf'), 'utf8');
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(config)?.[1]);
  const stranger = new Supervisord({
    folder: opened.folder,
    logFolder: opened.folder,
    state: opened.folder,
    port,
    user: 'kato',
    password: 'wrong',
    environment: {},
  });
  await assert.rejects(stranger.isRunning(), /is not this node's supervisord: it refused the password/);
});

/** Says which signal ended it, and leaves behind a child that it looks after. */
const keeper = (folder: string, name: string, isOutlivedByCharges: boolean): Program => ({
  name,
  command: [
    'bash',
    '-c',
    `for s in TERM USR2; do trap "echo $s >>$0; exit" $s; done; setsid sleep 600 & echo charge $! >>$0; while :; do wait; done`,
    // Its standard output is gone with supervisord.
    join(folder, `${name}.said`),
  ],
  environment: {},
  priority: 10,
  stopWaitS: 5,
  isOutlivedByCharges,
});

async function killSupervisor(folder: string): Promise<void> {
  const pid = Number(await readFile(join(folder, 'supervisord.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  const endMs = Date.now() + 10_000;
  while (await readTextIfExists(`/proc/${pid}/cmdline`)) assert.ok(Date.now() < endMs, 'still there');
}

async function orphaned(plan: Readonly<Record<string, boolean>>) {
  const opened = await openReal();
  const { supervisor, folder } = opened;
  const programs = Object.entries(plan).map(([name, isOutlived]) => keeper(folder, name, isOutlived));
  await supervisor.configure(programs);
  await supervisor.ensureRunning();
  for (const { name } of programs) await supervisor.start(name);
  assert.deepEqual(await supervisor.listOrphans(programs), []);
  const pids = new Map((await supervisor.list()).map(({ name, pid }) => [name, pid]));
  await killSupervisor(folder);
  const logOf = (name: string) => readFile(join(folder, `${name}.said`), 'utf8');
  const charges: number[] = [];
  for (const { name } of programs) charges.push(Number(/charge (\d+)/.exec(await logOf(name))?.[1]));
  const dispose = async () => {
    await supervisor.shutdown();
    await supervisor.stopOrphans(programs);
    for (const charge of charges) process.kill(charge, 'SIGKILL');
    await opened[Symbol.asyncDispose]();
  };
  return { supervisor, programs, pids, charges, logOf, [Symbol.asyncDispose]: dispose };
}

test('what a killed supervisord leaves is ended before the next starts; what it looks after goes on', async () => {
  await using world = await orphaned({ plain: false, minder: true });
  const { supervisor, programs, pids, charges } = world;
  const orphans = await supervisor.listOrphans(programs);
  assert.deepEqual(new Map(orphans.map(({ name, pid }) => [name, pid])), pids);
  await supervisor.ensureRunning();
  assert.deepEqual(await supervisor.listOrphans(programs), []);
  assert.match(await world.logOf('plain'), /\nTERM\n/);
  assert.match(await world.logOf('minder'), /\nUSR2\n/);
  for (const charge of charges) process.kill(charge, 0);
  for (const { name } of programs) await supervisor.start(name);
  assert.deepEqual(await supervisor.listOrphans(programs), []);
  // What the second ones look after ends with the test too.
  for (const { name } of programs) charges.push(Number((await world.logOf(name)).match(/\d+/g)?.at(-1)));
});

test('stopping ends what a killed supervisord left, of this node alone', async () => {
  await using other = await orphaned({ minder: true });
  await using world = await orphaned({ minder: true });
  await world.supervisor.stopOrphans(world.programs);
  assert.deepEqual(await world.supervisor.listOrphans(world.programs), []);
  assert.match(await world.logOf('minder'), /\nTERM\n/);
  assert.deepEqual(
    (await other.supervisor.listOrphans(other.programs)).map(({ pid }) => pid),
    [...other.pids.values()],
  );
});

/** As the platform's processes do, it heeds the first signal only, says it, and ends a little later. */
const heeder = `
  const { appendFileSync } = require('node:fs');
  const say = (text) => appendFileSync(process.argv[2], text + ' ');
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGUSR2']) process.on(name, () => stop.abort(name));
  stop.signal.addEventListener('abort', () => { say(stop.signal.reason); setTimeout(() => process.exit(), 300); });
  setInterval(() => {}, 1000);
  say('start' + (process.env.CHANGED ?? ''));`;

test('a program that changed is not asked to stop what it looks after, and its successor is the changed one', async () => {
  await using opened = await openReal();
  const { supervisor, folder } = opened;
  const file = join(folder, 'said');
  const script = join(folder, 'heeder.cjs');
  await writeFile(script, heeder);
  const programs = (environment: Record<string, string>, isOutlivedByCharges: boolean): Program[] => [
    {
      name: 'minder',
      command: [process.execPath, script, file],
      environment,
      priority: 10,
      stopWaitS: 5,
      isOutlivedByCharges,
    },
  ];
  const untilSaid = async (text: string) => {
    for (const endMs = Date.now() + 10_000; (await readTextIfExists(file)) !== text; ) {
      assert.ok(Date.now() < endMs, `${await readTextIfExists(file)} where ${text} belongs`);
      await delay(20);
    }
  };
  await supervisor.configure(programs({}, true));
  await supervisor.ensureRunning();
  await supervisor.start('minder');
  await untilSaid('start ');
  await supervisor.configure(programs({ CHANGED: '2' }, true));
  await untilSaid('start start2 ');
  await supervisor.configure(programs({ CHANGED: '3' }, false));
  await untilSaid('start start2 SIGTERM start3 ');
});
