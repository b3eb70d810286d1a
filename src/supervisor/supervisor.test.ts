import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { FakeSupervisor } from './fake.ts';
import { supervisorConformance } from './supervisor.conformance.ts';
import { Supervisord } from './supervisord.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function openReal() {
  const folder = await temporaryDirectory('supervisord');
  const supervisor = new Supervisord({
    folder: folder.path,
    logFolder: folder.path,
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
    port,
    user: 'kato',
    password: 'wrong',
    environment: {},
  });
  await assert.rejects(stranger.isRunning(), /refused our password/);
});
