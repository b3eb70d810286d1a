import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { NodeFollower } from './node-follower.ts';

function start() {
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const clock = new FakeClock();
  const counts = { updates: 0 };
  const update = async () => {
    counts.updates += 1;
    return 1;
  };
  return { bus, clock, counts, follower: new NodeFollower({ bus, clock, log: silentLog, update }) };
}

test('a node that was away updates itself, again and again until its base is restarted', async () => {
  const { clock, counts, follower } = start();
  follower.saw('settings', undefined);
  follower.saw('topology', 'the Core is at 10.0.0.9');
  assert.equal(counts.updates, 1);
  await clock.advance(31_000);
  assert.equal(counts.updates, 2);
  follower[Symbol.dispose]();
  await clock.advance(100_000);
  assert.equal(counts.updates, 2);
});

test('a node that is there waits to be told, and follows by itself after it was cut off', () => {
  const { bus, counts, follower } = start();
  follower.saw('settings', undefined);
  follower.saw('settings', 'the domain is new.test');
  assert.equal(counts.updates, 0);
  bus.setConnected(false);
  bus.setConnected(true);
  follower.saw('settings', 'the domain is new.test');
  assert.equal(counts.updates, 1);
  follower[Symbol.dispose]();
});
