import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { LogStore } from './log-store.ts';
import { SharedLog } from './shared-log.ts';

const MS = 1_000_000n;

/** Log servers on one bus; `say` is heard by those that run and are connected. */
async function openYard() {
  const stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const broker = new MemoryBroker();
  const speaker = new MemoryBus(broker);
  const { logyard: config } = decode(ClusterConfig, {}, 'config');
  let said = 0;
  const say = async (text: string, source = 'APP/PROC/WEB', app = 'shop') => {
    said += 1;
    const at = String(BigInt(clock.nowMs()) * MS + BigInt(said));
    const line = { at, source, instance: '0', type: 'OUT' as const, text };
    speaker.publish(subjects.appLog, [app], { app, tags: { app_name: 'shop' }, lines: [line] });
    await settle();
  };
  const start = async (id: string, directory?: string) => {
    const path = directory ?? stack.use(await temporaryDirectory('logyard')).path;
    const bus = new MemoryBus(broker);
    const store = new LogStore({ directory: path, config, clock, log: silentLog });
    bus.subscribe(subjects.appLog, ['*'], (lines) => store.append(lines));
    const shared = new SharedLog({ store, bus, clock, log: silentLog, id }, store.writtenUntilMs());
    await clock.advance(1500);
    for (let n = 0; n < 30; n += 1) await settle();
    await shared.caughtUp();
    /** As a killed process goes: without a word. */
    const kill = async () => {
      await store.flush();
      bus.setConnected(false);
      await clock.advance(60_000);
    };
    const texts = async (app = 'shop') => (await shared.recent(app, 1000)).map(({ text }) => text);
    return { bus, store, shared, kill, texts, path };
  };
  return { start, say, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test('one that starts later knows what was said before, also when the other is gone', async () => {
  await using yard = await openYard();
  const a = await yard.start('a');
  await yard.say('one');
  await yard.say('two');
  const b = await yard.start('b');
  await yard.say('three');
  assert.deepEqual(await b.texts(), ['one', 'two', 'three']);
  await a.kill();
  await yard.say('four');
  assert.deepEqual(await b.texts(), ['one', 'two', 'three', 'four']);
  await b.store.flush();
  const again = await yard.start('c', b.path);
  await b.kill();
  assert.deepEqual(await again.texts(), ['one', 'two', 'three', 'four'], 'it is on disk as well');
});

test('what was missed while the bus was away or the process restarted is taken over, each line once', async () => {
  await using yard = await openYard();
  const a = await yard.start('a');
  const b = await yard.start('b');
  await yard.say('one');
  b.bus.setConnected(false);
  await yard.say('two');
  await yard.clock.advance(5000);
  await yard.say('three');
  b.bus.setConnected(true);
  await yard.say('four');
  await yard.clock.advance(1500);
  await settle();
  await b.shared.caughtUp();
  await a.kill();
  assert.deepEqual(await b.texts(), ['one', 'two', 'three', 'four']);
  const a2 = await yard.start('a2', a.path);
  await b.kill();
  await yard.say('five');
  assert.deepEqual(await a2.texts(), ['one', 'two', 'three', 'four', 'five']);
});

test('a reader who asks another one each time misses nothing and sees nothing twice', async () => {
  await using yard = await openYard();
  const [a, b] = [await yard.start('a'), await yard.start('b')];
  const seen: string[] = [];
  let startNs = -1n;
  for (let n = 0; n < 40; n += 1) {
    // Two senders' lines reach the two servers in different orders.
    const late = { ...{ at: String(BigInt(yard.clock.nowMs()) * MS - MS), source: 'B', instance: '0' } };
    const lines = [{ ...late, type: 'OUT' as const, text: `b${n}` }];
    if (n % 2) a.store.append({ app: 'shop', tags: {}, lines });
    else b.store.append({ app: 'shop', tags: {}, lines });
    await yard.say(`a${n}`, 'A');
    if (n % 2) b.store.append({ app: 'shop', tags: {}, lines });
    else a.store.append({ app: 'shop', tags: {}, lines });
    const reader = n % 3 ? a : b;
    const found = await reader.shared.read('shop', { startNs, endNs: 1n << 62n, limit: 100, isDescending: false });
    for (const line of found) seen.push(line.text);
    startNs = (found.at(-1)?.atNs ?? startNs - 1n) + 1n;
    await yard.clock.advance(100);
  }
  const expected = Array.from({ length: 40 }, (_, n) => [`a${n}`, `b${n}`]).flat();
  assert.deepEqual([...seen].sort(), expected.sort());
});

test('more than one message can carry comes in pages, in either direction', async () => {
  await using yard = await openYard();
  const a = await yard.start('a');
  const texts = Array.from({ length: 60 }, (_, n) => `${n} ${'\u0001'.repeat(30_000)}`);
  for (const text of texts) await yard.say(text);
  const b = await yard.start('b');
  assert.equal(a.store.ring('shop')?.size, 60);
  assert.deepEqual(await b.texts(), texts);
  const all = { startNs: 0n, endNs: 1n << 62n, limit: 50, isDescending: false };
  assert.deepEqual(
    (await b.shared.read('shop', all)).map(({ text }) => text),
    texts.slice(0, 50),
  );
});

test('an orderly end hands readers over at once', async () => {
  await using yard = await openYard();
  const a = await yard.start('a');
  const b = await yard.start('b');
  await yard.say('one');
  await a.shared[Symbol.asyncDispose]();
  await settle();
  assert.equal(b.shared.peers, 0);
  assert.deepEqual(await b.texts(), ['one']);
});
