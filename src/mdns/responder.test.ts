import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { addressRecord } from '../core/mdns.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { Responder } from './responder.ts';
import { FakeNetwork } from './testing/fake-network.ts';

let network: FakeNetwork;
let clock: FakeClock;
beforeEach(() => {
  network = new FakeNetwork();
  clock = new FakeClock();
});
const responder = (address: string) => new Responder({ link: network.link(address), clock, log: silentLog });
const question = { name: 'a.local', type: 'A' as const, class: 'IN' as const };
const saidBy = (address: string) => network.sent.filter(({ from }) => from === address).map(({ packet }) => packet);

test('asks three times before a name is ours, says so twice, and takes leave', async () => {
  const one = responder('10.0.0.1');
  await one.start(['a.local']);
  await clock.advance(800);
  assert.deepEqual(one.held(), []);
  await clock.advance(2000);
  assert.deepEqual(one.held(), ['a.local']);
  await one.stop();
  const kinds = saidBy('10.0.0.1').map((packet) =>
    packet.type === 'query' ? 'probe' : (packet.answers ?? []).map((answer) => 'ttl' in answer && answer.ttl).join(),
  );
  assert.deepEqual(kinds, ['probe', 'probe', 'probe', '120', '120', '0']);
});

test('answers for its names only, and the same neighbours not twice within a second', async () => {
  const one = responder('10.0.0.1');
  await one.start(['a.local']);
  await clock.advance(5000);
  const asker = network.link('10.0.0.7');
  const before = saidBy('10.0.0.1').length;
  asker.ask({ type: 'query', questions: [question] });
  asker.ask({ type: 'query', questions: [question] });
  asker.ask({ type: 'query', questions: [{ ...question, name: 'b.local' }] });
  const answers = saidBy('10.0.0.1').slice(before);
  assert.equal(answers.length, 1);
  const [given] = (answers[0]?.answers ?? []) as { data?: unknown }[];
  assert.equal(given?.data, '10.0.0.1');
  await clock.advance(1000);
  asker.ask({ type: 'query', questions: [question] });
  assert.equal(saidBy('10.0.0.1').length, before + 2);
});

test('a plain DNS client is answered alone, with its id and question', async () => {
  const one = responder('10.0.0.1');
  await one.start(['a.local']);
  await clock.advance(5000);
  network.link('10.0.0.7').ask({ type: 'query', id: 77, questions: [question] }, 40_000);
  const last = network.sent.at(-1);
  assert.deepEqual(last?.to, { address: '10.0.0.7', port: 40_000 });
  assert.equal(last?.packet.id, 77);
  assert.equal(last?.packet.questions?.[0]?.name, 'a.local');
});

test('who comes second does not get the name, says who has it, and gets it once it is free', async () => {
  const first = responder('10.0.0.1');
  await first.start(['a.local']);
  await clock.advance(3000);
  const second = responder('10.0.0.2');
  await second.start(['a.local', 'b.local']);
  await clock.advance(3000);
  assert.deepEqual(second.taken(), [{ name: 'a.local', by: '10.0.0.1' }]);
  assert.deepEqual([first.held(), second.held()], [['a.local'], ['b.local']]);
  await first.stop();
  await clock.advance(40_000);
  assert.deepEqual([second.held(), second.taken()], [['a.local', 'b.local'], []]);
});

test('of two that ask at the same time one gets the name', async () => {
  const [low, high] = [responder('10.0.0.1'), responder('10.0.0.2')];
  await low.start(['a.local']);
  await high.start(['a.local']);
  await clock.advance(5000);
  assert.deepEqual([low.held(), high.held()], [[], ['a.local']]);
  assert.deepEqual(low.taken(), [{ name: 'a.local', by: '10.0.0.2' }]);
});

test('a name that somebody claims later is asked for again, and kept when nobody answers', async () => {
  const one = responder('10.0.0.1');
  await one.start(['a.local']);
  await clock.advance(3000);
  network.link('10.0.0.9').ask({ type: 'response', answers: [addressRecord('a.local', '10.0.0.9')] });
  assert.equal(one.isProbing(), true);
  await clock.advance(3000);
  assert.deepEqual(one.held(), ['a.local']);
});

test('names that are wanted no more are taken leave of', async () => {
  const one = responder('10.0.0.1');
  await one.start(['a.local', 'b.local']);
  await clock.advance(3000);
  one.want(['b.local']);
  const [last] = (network.sent.at(-1)?.packet.answers ?? []) as { name: string; ttl?: number }[];
  assert.deepEqual([last?.name, last?.ttl], ['a.local', 0]);
  network.link('10.0.0.7').ask({ type: 'query', questions: [question] });
  assert.equal(network.sent.at(-1)?.from, '10.0.0.7');
});
