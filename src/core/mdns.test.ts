import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressRecord, answerTo, givesWay, isOnLink, rivalsFor } from './mdns.ts';
import { localName } from './mdns-name.ts';

const mine = { has: (name: string) => name === 'me.local', address: '10.0.0.2' };
const ask = (name: string, type = 'A', more: Partial<Parameters<typeof answerTo>[0]> = {}) =>
  answerTo({ questions: [{ name, type }], known: [], isLegacy: false, ...more }, mine);

test('gives the address for a name of ours in any case, and nothing for others', () => {
  assert.deepEqual(ask('ME.local')?.answers, [addressRecord('me.local', '10.0.0.2')]);
  assert.equal(ask('you.local'), undefined);
  assert.equal(ask('me.local.evil.test'), undefined);
});

test('says that a name has no other records', () => {
  const [answer] = ask('me.local', 'AAAA')?.answers ?? [];
  assert.deepEqual([answer?.type, answer?.data], ['NSEC', { nextDomain: 'me.local', rrtypes: ['A'] }]);
});

test('says nothing that the asker knows', () => {
  assert.equal(ask('me.local', 'A', { known: [addressRecord('me.local', '10.0.0.2', 100)] }), undefined);
  assert.ok(ask('me.local', 'A', { known: [addressRecord('me.local', '10.0.0.2', 20)] }));
  assert.ok(ask('me.local', 'A', { known: [addressRecord('me.local', '10.0.0.9', 100)] }));
});

test('plain DNS clients get records without the flush bit, for seconds', () => {
  const [answer] = ask('me.local', 'A', { isLegacy: true })?.answers ?? [];
  assert.deepEqual([answer?.flush, answer?.ttl], [false, 10]);
});

test('a rival is who claims our name with an address that is not ours', () => {
  const heard = [addressRecord('ME.local', '10.0.0.9'), addressRecord('me.local', '10.0.0.2')];
  assert.deepEqual(rivalsFor('me.local', heard, ['10.0.0.2']), ['10.0.0.9']);
  assert.deepEqual(rivalsFor('me.local', [addressRecord('me.local', '10.0.0.9', 0)], []), []);
  assert.equal(givesWay('10.0.0.2', ['10.0.0.10']), true);
  assert.equal(givesWay('10.0.0.10', ['10.0.0.9']), false);
  assert.equal(givesWay('10.0.0.10', []), false);
});

test('only neighbours are heard', () => {
  const face = { address: '192.168.7.5', netmask: '255.255.252.0' };
  assert.equal(isOnLink('192.168.4.1', face), true);
  assert.equal(isOnLink('192.168.8.1', face), false);
});

test('the name is the setting, else the domain, else that of the machine', () => {
  const of = { setting: '', domain: 'stackato.localhost', machine: 'Bob_s-Laptop.lan' };
  assert.equal(localName(of), 'bob-s-laptop.local');
  assert.equal(localName({ ...of, domain: 'cloud.local' }), 'cloud.local');
  assert.equal(localName({ ...of, domain: 'a.b.local' }), 'bob-s-laptop.local');
  assert.equal(localName({ ...of, setting: 'mine', domain: 'cloud.local' }), 'mine.local');
  assert.equal(localName({ ...of, machine: '—' }), 'stackato.local');
});
