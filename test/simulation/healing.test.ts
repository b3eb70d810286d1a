import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerError } from '../../src/container/container.ts';
import { subjects } from '../../src/contract/subjects.ts';
import { settle } from '../../src/platform/clock.ts';
import { Cluster } from './cluster.ts';

test('a missing instance is started, and routed', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 });
  await cluster.clock.advance(12_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
  assert.equal(cluster.endpoints('shop'), 2);
});

test('while the controller is starting them, nobody else does', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.asked, []);
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
});

test('an extra instance is stopped', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 3 }, { place: true });
  await cluster.clock.advance(5000);
  await cluster.want('shop', { instances: 1 });
  await cluster.clock.advance(12_000);
  assert.deepEqual(cluster.indices('shop'), [0]);
  assert.equal(cluster.endpoints('shop'), 1);
});

test('a crashed instance is replaced at once, without waiting for a tick', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(5000);
  cluster.crash('shop', 1);
  await settle();
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
  assert.equal(cluster.endpoints('shop'), 2);
});

test('an app that crashes again and again is restarted at once three times, then ever later', async () => {
  await using cluster = await Cluster.open(1);
  cluster.broken.add('shop');
  await cluster.want('shop', {}, { place: true });
  await settle();
  const startsAt = async (seconds: number) => {
    await cluster.clock.advance(seconds * 1000);
    return cluster.asked.length;
  };
  assert.equal(await startsAt(1), 3);
  assert.equal(await startsAt(28), 3);
  assert.equal(await startsAt(3), 4);
  assert.equal(await startsAt(56), 4);
  assert.equal(await startsAt(4), 5);
  assert.equal(await startsAt(114), 5);
  assert.equal(await startsAt(8), 6);
});

test('a new version ends the waiting', async () => {
  await using cluster = await Cluster.open(1);
  cluster.broken.add('shop');
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(40_000);
  cluster.broken.delete('shop');
  await cluster.want('shop', { version: 'v2' });
  await cluster.clock.advance(12_000);
  assert.deepEqual(cluster.indices('shop'), [0]);
});

test('when all instances crash again and again, index 0 alone probes', async () => {
  await using cluster = await Cluster.open(1);
  cluster.broken.add('shop');
  await cluster.want('shop', { instances: 3 }, { place: true });
  await cluster.clock.advance(10_000);
  cluster.asked.length = 0;
  await cluster.clock.advance(50_000);
  assert.deepEqual([...new Set(cluster.asked)], ['start shop/0']);
  cluster.broken.delete('shop');
  await cluster.clock.advance(120_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2]);
});

test("a lost DEA's instances answer elsewhere within 12 s; when it returns, the extras go", async () => {
  await using cluster = await Cluster.open(3);
  await cluster.want('shop', { instances: 6 }, { place: true });
  await cluster.clock.advance(5000);
  const [lost] = cluster.nodes;
  assert.ok(lost);
  assert.equal(lost.dea.registry.list().length, 2);
  lost.bus.setConnected(false);
  await cluster.clock.advance(12_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3, 4, 5]);
  lost.bus.setConnected(true);
  await cluster.clock.advance(15_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3, 4, 5]);
  assert.equal(
    lost.dea.registry.match({ droplet: 'shop', states: ['RUNNING'] }).length,
    2,
    'the oldest placement stays',
  );
  assert.equal(cluster.endpoints('shop'), 6);
});

test('a start that a DEA gives back is no crash: another one takes it', async () => {
  await using cluster = await Cluster.open(2);
  const [full] = cluster.nodes;
  assert.ok(full);
  const refuse = () => full.engine.failNext('create', new ContainerError('no-free-port', 'all ports are taken'));
  for (let n = 0; n < 10; n++) refuse();
  await cluster.want('shop', { instances: 4 }, { place: true });
  await settle();
  assert.deepEqual(cluster.running(), ['2: shop/0', '2: shop/1', '2: shop/2', '2: shop/3']);
  await cluster.clock.advance(60_000);
  assert.deepEqual([cluster.asked, cluster.heard.exited], [[], []]);
});

test('requests that get lost are repeated until they arrive', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(5000);
  cluster.loseRequests = true;
  cluster.crash('shop', 0);
  await cluster.clock.advance(25_000);
  assert.deepEqual(cluster.indices('shop'), [1]);
  assert.equal(cluster.asked.length, 3);
  cluster.loseRequests = false;
  await cluster.clock.advance(10_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
});

test('exits told twice, too late, or not at all do no harm', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(5000);
  cluster.crash('shop', 0);
  await settle();
  const [exit] = cluster.heard.exited;
  const [old] = cluster.heard.heartbeats.filter(({ droplets }) =>
    droplets.some((one) => one.instance === exit?.instance),
  );
  assert.ok(exit && old);
  const [, other] = cluster.nodes;
  for (let i = 0; i < 3; i++) other?.bus.publish(subjects.dropletExited, [], exit);
  other?.bus.publish(subjects.deaHeartbeat, [], old);
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
  assert.deepEqual(cluster.manager.world.factsOf('shop')?.crashes?.get(0)?.count, 1);

  cluster.managerBus.setConnected(false);
  cluster.crash('shop', 1);
  await settle();
  cluster.managerBus.setConnected(true);
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.indices('shop'), [0, 1]);
});

test('a stop during the start wins', async () => {
  await using cluster = await Cluster.open(1);
  await cluster.want('shop', {}, { place: true });
  const [node] = cluster.nodes;
  node?.bus.publish(subjects.deaStop, [], { droplet: 'shop' });
  await cluster.want('shop', { state: 'STOPPED' });
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.running(), []);
  assert.deepEqual(await node?.engine.list(), []);
  assert.equal(cluster.endpoints('shop'), 0);
});

test('a stopped app that a lost message left running is stopped', async () => {
  await using cluster = await Cluster.open(1);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(5000);
  await cluster.want('shop', { state: 'STOPPED' });
  await cluster.clock.advance(15_000);
  assert.deepEqual(cluster.running(), []);
});

test('an old version that a lost message left running goes once the new one runs', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(5000);
  await cluster.want('shop', { version: 'v2' }, { place: true });
  await cluster.clock.advance(5000);
  const versions = cluster.nodes.flatMap(({ dea }) =>
    dea.registry.match({ droplet: 'shop' }).map((i) => i.message.version),
  );
  assert.deepEqual(versions, ['v2']);
});

test('a deleted app leaves nothing running', async () => {
  await using cluster = await Cluster.open(1);
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(20_000);
  cluster.desired.delete('shop');
  await cluster.clock.advance(10_000);
  assert.deepEqual(cluster.running(), []);
});

test('a restarted health manager does nothing before it has heard a whole interval', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 4 }, { place: true });
  await cluster.clock.advance(20_000);
  const [silent] = cluster.nodes;
  silent?.bus.setConnected(false);
  await cluster.startManager();
  await cluster.clock.advance(7000);
  assert.deepEqual(cluster.asked, []);
  silent?.bus.setConnected(true);
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.asked, []);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3]);
});

test('a restarted health manager that has heard every DEA waits for two heartbeats only', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 4 }, { place: true });
  await cluster.clock.advance(20_000);
  cluster.managerBus.setConnected(false);
  cluster.crash('shop', 1);
  await cluster.startManager();
  await cluster.clock.advance(2400);
  assert.deepEqual(cluster.asked, []);
  await cluster.clock.advance(200);
  assert.deepEqual(cluster.asked, ['start shop/1']);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3]);
});

test('a controller that comes up a moment later than the health manager costs that moment only', async () => {
  await using cluster = await Cluster.open(1);
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(20_000);
  cluster.managerBus.setConnected(false);
  cluster.crash('shop', 0);
  cluster.isControllerAway = true;
  await cluster.startManager();
  await cluster.clock.advance(4200);
  cluster.isControllerAway = false;
  await cluster.clock.advance(500);
  assert.deepEqual(cluster.indices('shop'), [0]);
});

test('a DEA that came while no health manager was there is not overlooked when it is slow', async () => {
  await using cluster = await Cluster.open(1);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(20_000);
  await cluster.stopManager();
  const late = await cluster.addDea();
  await cluster.want('shop', { instances: 3 });
  cluster.startOn(late, 'shop', 2);
  await settle();
  late.bus.setConnected(false);
  await cluster.startManager();
  await cluster.clock.advance(2400);
  late.bus.setConnected(true);
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.asked, []);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2]);
});

test('whatever restarts and falls silent for less than the loss of a DEA, nothing is started twice', async () => {
  await using cluster = await Cluster.open(3);
  await cluster.want('shop', { instances: 6 }, { place: true });
  await cluster.clock.advance(20_000);
  for (const silentMs of [500, 1900, 2100, 2600, 3900, 5500, 7900]) {
    for (const node of cluster.nodes) {
      node.bus.setConnected(false);
      await cluster.startManager();
      await cluster.clock.advance(silentMs);
      node.bus.setConnected(true);
      await cluster.clock.advance(10_000);
      assert.deepEqual(cluster.asked, [], `silent for ${silentMs} ms`);
    }
  }
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3, 4, 5]);
});

test('a DEA that shut down in order is not waited for', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(20_000);
  cluster.loseRequests = true;
  const [first] = cluster.nodes;
  assert.ok(first);
  await cluster.shutDown(first);
  await cluster.clock.advance(1000);
  cluster.loseRequests = false;
  await cluster.startManager();
  await cluster.clock.advance(2400);
  cluster.asked.length = 0;
  await cluster.clock.advance(200);
  assert.equal(cluster.asked.length, 1);
  assert.equal(cluster.endpoints('shop'), 2);
});

test('the waiting of an app that crashes again and again outlives the health manager', async () => {
  await using cluster = await Cluster.open(1);
  cluster.broken.add('shop');
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(40_000);
  assert.equal(cluster.asked.length, 4);
  await cluster.startManager();
  await cluster.clock.advance(45_000);
  assert.equal(cluster.asked.length, 4, 'the fifth is due a minute after the fourth');
  await cluster.clock.advance(10_000);
  assert.equal(cluster.asked.length, 5);
});

test('who does not lead, does nothing, but knows all when it comes to lead', async () => {
  await using cluster = await Cluster.open(1);
  cluster.leadership.leads = false;
  await cluster.want('shop', {}, { place: true });
  await cluster.clock.advance(15_000);
  cluster.crash('shop', 0);
  await cluster.clock.advance(15_000);
  assert.deepEqual(cluster.asked, []);
  cluster.leadership.leads = true;
  await cluster.clock.advance(1000);
  assert.deepEqual(cluster.indices('shop'), [0]);
});

test('a restarted DEA process keeps its instances: nothing is asked for, no endpoint is lost', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 4 }, { place: true });
  await cluster.clock.advance(20_000);
  for (const node of cluster.nodes) {
    await cluster.restartDea(node);
    assert.equal(cluster.endpoints('shop'), 4);
    await cluster.clock.advance(10_000);
  }
  assert.deepEqual(cluster.asked, []);
  assert.deepEqual(cluster.heard.exited, []);
});

test('with every DEA silent nothing is asked for: it is the bus that is gone', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 2 }, { place: true });
  await cluster.clock.advance(20_000);
  for (const { bus } of cluster.nodes) bus.setConnected(false);
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.asked, []);
  for (const { bus } of cluster.nodes) bus.setConnected(true);
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.asked, []);
  assert.equal(cluster.endpoints('shop'), 2);
});

test('a DEA that is evacuated: its instances run elsewhere before they stop, and routes are never fewer', async () => {
  await using cluster = await Cluster.open(2);
  await cluster.want('shop', { instances: 4 }, { place: true });
  await cluster.clock.advance(5000);
  const dea = cluster.nodes[0]?.dea ?? assert.fail();
  const moving = dea.evacuate();
  assert.ok(moving > 0);
  let fewest = cluster.endpoints('shop');
  for (let second = 0; second < 60; second++) {
    await cluster.clock.advance(1000);
    fewest = Math.min(fewest, cluster.endpoints('shop'));
  }
  assert.deepEqual([dea.evacuate(), fewest, cluster.endpoints('shop')], [0, 4, 4]);
  assert.deepEqual(cluster.indices('shop'), [0, 1, 2, 3]);
});
