import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { subjects } from '../contract/subjects.ts';
import { type RouteChange, RouteTable } from '../core/route-table.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { MemoryBroker, MemoryBus } from './memory.ts';
import { Registrant } from './registrant.ts';

function open() {
  const clock = new FakeClock();
  const broker = new MemoryBroker();
  const bus = new MemoryBus(broker);
  const table = new RouteTable(120_000);
  const changes: RouteChange[] = [];
  const router = new MemoryBus(broker);
  router.subscribe(subjects.routerRegister, [], (one) => changes.push(...table.register(one, clock.nowMs())));
  router.subscribe(subjects.routerUnregister, [], (one) => changes.push(...table.unregister(one)));
  const registration = { host: '127.0.0.2', port: 8022, uris: ['api.test'], private_instance_id: 'controller' };
  const join = (isShared: boolean) =>
    new Registrant({ bus, clock, intervalS: 20, registrations: () => [registration], isShared });
  return { clock, table, changes, join };
}

describe('registrant', () => {
  test('takes its registrations back when it ends', async () => {
    const { join, table } = open();
    const one = join(false);
    await settle();
    assert.ok(table.pool('api.test'));
    await one[Symbol.asyncDispose]();
    assert.equal(table.pool('api.test'), undefined);
  });

  test('leaves a place to others that stand behind it, and two of them are one to the router', async () => {
    const { clock, join, table, changes } = open();
    const [one, two] = [join(true), join(true)];
    await clock.advance(100_000);
    await one[Symbol.asyncDispose]();
    await clock.advance(100_000);
    assert.deepEqual(
      changes.map((change) => change.do),
      ['add-route', 'add-endpoint'],
    );
    await two[Symbol.asyncDispose]();
    await clock.advance(100_000);
    assert.ok(table.pool('api.test'));
    assert.equal(table.prune(clock.nowMs() + 121_000).length, 2);
  });
});
