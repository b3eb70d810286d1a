import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { Drains } from './drains.ts';

/** A place that lines are sent to. */
async function receiver(port = 0) {
  const server = createServer();
  const sockets = new Set<Socket>();
  let text = '';
  let heard = Promise.withResolvers<void>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString();
      heard.resolve();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** Resolves when this text has come. */
    got: async (expected: string) => {
      while (!text.includes(expected)) {
        await heard.promise;
        heard = Promise.withResolvers();
      }
      return text;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function world(wanted: Record<string, string>) {
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const clock = new FakeClock();
  const seniority = { isSenior: true };
  const drains = new Drains({
    ...{ bus, clock, log: silentLog, wanted: () => wanted, addressOf: (node: string) => `10.0.0.${node}` },
    isSenior: () => seniority.isSenior,
  });
  const say = (text: string) => {
    const line = { at: '1', source: 'APP/PROC/WEB', instance: '0', type: 'OUT' as const, text };
    bus.publish(subjects.appLog, ['a1'], { app: 'a1', tags: { app_name: 'shop' }, lines: [line] });
  };
  const states = async () => (await bus.request(subjects.drainStates, [], {}, { timeoutMs: 50 }))[0]?.drains;
  return { bus, clock, seniority, drains, say, states };
}

test('lines go where they are wanted; a place that was away gets what waited; a drain that is taken away is closed', async () => {
  const first = await receiver();
  const wanted: Record<string, string> = { apps: `tcp://127.0.0.1:${first.port}/?filter=apptail&format=raw` };
  const { bus, clock, drains, say, states } = world(wanted);
  await using _drains = drains;
  bus.publish(subjects.systemLog, ['dea'], { node: '5', process: 'dea', lines: ['not for it'] });
  say('one');
  assert.match(await first.got('"one"'), /^apptail\.a1 \{"text":"one"/);
  assert.deepEqual(await states(), [{ name: 'apps', state: 'RUNNING', sent: 1, dropped: 0, waiting: 0 }]);

  await first.close();
  while ((await states())?.[0]?.state !== 'RETRYING') await settle();
  say('two');
  await settle();
  const second = await receiver(first.port);
  await clock.advance(5000);
  await second.got('"two"');
  const [after] = (await states()) ?? [];
  assert.equal(after?.state, 'RUNNING');

  wanted.more = `tcp://127.0.0.1:${second.port}/?filter=systail.dea`;
  delete wanted.apps;
  await clock.advance(1000);
  say('three');
  bus.publish(subjects.systemLog, ['dea'], { node: '5', process: 'dea', lines: ['of a DEA'] });
  assert.doesNotMatch(await second.got('of a DEA'), /three/);
  assert.deepEqual(
    (await states())?.map(({ name }) => name),
    ['more'],
  );
  await second.close();
});

test('of several log servers one drains; too many waiting lines go, the oldest first, and are counted', async () => {
  const { clock, seniority, drains, say, states } = world({ gone: 'tcp://127.0.0.1:1/' });
  await using _drains = drains;
  for (let line = 0; line < 20_100; line += 1) say(`line ${line}`);
  await settle();
  const [state] = (await states()) ?? [];
  assert.ok(state !== undefined && state.dropped + state.waiting + state.sent >= 20_000, JSON.stringify(state));
  assert.ok((state?.dropped ?? 0) > 0);
  seniority.isSenior = false;
  await clock.advance(1000);
  assert.equal(await states(), undefined);
  seniority.isSenior = true;
  await clock.advance(1000);
  assert.equal((await states())?.[0]?.dropped, 0, 'opened anew');
});

test('what waits is bounded by its length too, and what still waits at the end is sent', async () => {
  const { drains, say, states } = world({ gone: 'tcp://127.0.0.1:1/' });
  for (let line = 0; line < 100; line += 1) say('x'.repeat(200_000));
  await settle();
  assert.ok(((await states())?.[0]?.waiting ?? 100) <= 40);
  await drains[Symbol.asyncDispose]();

  const place = await receiver();
  const other = world({ place: `tcp://127.0.0.1:${place.port}/` });
  other.say('first');
  await place.got('first');
  other.say('last');
  await other.bus.flush();
  await other.drains[Symbol.asyncDispose]();
  await place.got('last');
  await place.close();
});

test('datagrams hold one line each', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { drains, say } = world({ udp: `udp://127.0.0.1:${socket.address().port}/?format=syslog` });
  await using _drains = drains;
  const next = () => once(socket, 'message').then(([message]) => String(message));
  const first = next();
  say('one');
  assert.match(await first, /^<14>1 .* shop a1 \[APP\/PROC\/WEB\/0\] - - one$/);
  socket.close();
});
