import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { LogStore } from './log-store.ts';

const all = { startNs: -1n, endNs: 1n << 62n, limit: 10_000, isDescending: false };

async function openStore(settings: Record<string, number> = {}) {
  const directory = await temporaryDirectory('stackato-logyard');
  const clock = new FakeClock();
  const { logyard: config } = decode(ClusterConfig, { logyard: { linesKept: 100, ...settings } }, 'config');
  const open = () => new LogStore({ directory: directory.path, config, clock, log: silentLog });
  return { directory: directory.path, clock, open, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

const lines = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    at: String(1_600_000_000_000_000_000n + BigInt(from + i)),
    source: 'APP/PROC/WEB',
    instance: '0',
    type: 'OUT' as const,
    text: `line ${from + i}`,
  }));
const texts = (store: LogStore, app: string) =>
  store
    .ring(app)
    ?.read(all)
    .map(({ text }) => text) ?? [];

test('what was flushed is there after a restart, with its tags and times, and goes on in order', async () => {
  await using world = await openStore();
  const first = world.open();
  first.append({ app: 'a', tags: { app_name: 'shop' }, lines: lines(10) });
  await first.flush();
  const second = world.open();
  second.append({ app: 'a', tags: { app_name: 'shop' }, lines: lines(5, 10) });
  await second.flush();
  const third = world.open();
  assert.deepEqual(texts(third, 'a'), texts(second, 'a'));
  assert.equal(texts(third, 'a').length, 15);
  assert.deepEqual(third.ring('a')?.read(all).at(-1), second.ring('a')?.read(all).at(-1));
});

test('files are rotated, and still hold as many lines as are promised', async () => {
  await using world = await openStore();
  const store = world.open();
  for (let i = 0; i < 50; i++) {
    store.append({ app: 'a', tags: { n: String(i % 3) }, lines: lines(10, i * 10) });
    await store.flush();
  }
  assert.deepEqual(readdirSync(world.directory).sort(), ['a.log', 'a.log.1']);
  const again = texts(world.open(), 'a');
  assert.deepEqual(again, texts(store, 'a'));
  assert.equal(again.length, 100);
});

test('a torn last line is left out and does not harm the next', async () => {
  await using world = await openStore();
  const store = world.open();
  store.append({ app: 'a', tags: {}, lines: lines(2) });
  await store.flush();
  appendFileSync(join(world.directory, 'a.log'), '["160000000');
  const after = world.open();
  after.append({ app: 'a', tags: {}, lines: lines(1, 2) });
  await after.flush();
  assert.deepEqual(texts(world.open(), 'a'), ['line 0', 'line 1', 'line 2']);
});

test('memory is bounded; what was let go is read from disk again', async () => {
  await using world = await openStore({ memoryMb: 1 });
  const store = world.open();
  for (let app = 0; app < 100; app++) store.append({ app: `app-${app}`, tags: {}, lines: lines(100) });
  assert.equal(store.memory.apps, 100);
  await store.flush();
  assert.ok(store.memory.bytes <= 1_048_576 && store.memory.apps < 100);
  assert.equal(texts(store, 'app-0').length, 100);
});

test('a name that is no app is refused, also as a path', async () => {
  await using world = await openStore();
  const store = world.open();
  store.append({ app: '../evil', tags: {}, lines: lines(1) });
  await store.flush();
  assert.deepEqual(readdirSync(world.directory), []);
  assert.equal(store.ring('../evil'), undefined);
});

test('a long line is cut between characters', async () => {
  await using world = await openStore({ lineBytes: 256 });
  const store = world.open();
  const [line] = lines(1);
  assert.ok(line);
  store.append({ app: 'a', tags: {}, lines: [{ ...line, text: 'ü'.repeat(400) }] });
  assert.deepEqual(texts(store, 'a'), ['ü'.repeat(128)]);
});

test('the log of an app that was silent for too long is removed', async () => {
  await using world = await openStore({ idleKeptS: 3600 });
  const store = world.open();
  store.append({ app: 'old', tags: {}, lines: lines(1) });
  store.append({ app: 'new', tags: {}, lines: lines(1) });
  await store.flush();
  const nowS = world.clock.nowMs() / 1000;
  utimesSync(join(world.directory, 'old.log'), nowS, nowS - 3600);
  utimesSync(join(world.directory, 'new.log'), nowS, nowS - 3599);
  store.removeIdle();
  assert.deepEqual(store.apps(), ['new']);
});

test('lines come through bus and store complete and in order', async (context) => {
  await using world = await openStore({ linesKept: 1000 });
  const store = world.open();
  const broker = new MemoryBroker();
  const bus = new MemoryBus(broker);
  bus.subscribe(subjects.appLog, ['*'], (message) => store.append(message));
  const followed: string[] = [];
  store.follow('a', (some) => followed.push(...some.map(({ text }) => text)));
  const total = 50_000;
  const startedMs = performance.now();
  for (let sent = 0; sent < total; sent += 100) {
    bus.publish(subjects.appLog, ['a'], { app: 'a', tags: { app_name: 'shop' }, lines: lines(100, sent) });
  }
  await bus.flush();
  await store.flush();
  const perS = Math.round(total / ((performance.now() - startedMs) / 1000));
  context.diagnostic(`${perS} lines a second through bus, store and disk`);
  assert.deepEqual(
    followed,
    Array.from({ length: total }, (_, i) => `line ${i}`),
  );
  assert.deepEqual(texts(store, 'a'), followed.slice(-1000));
});
