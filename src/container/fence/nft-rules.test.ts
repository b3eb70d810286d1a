import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exec } from '../../platform/exec.ts';
import type { Egress } from '../container.ts';
import { addressNumber, addressText, formatRange, mergeRanges, parseRange, shareOf } from './addresses.ts';
import { egressText, faultOfEgress, memberText, removalText, tableText } from './nft-rules.ts';

const input = {
  table: 'fence_dea_x',
  vethPrefix: 'fxx',
  network: { first: addressNumber('10.250.0.0'), last: addressNumber('10.250.255.255') },
  addresses: { first: addressNumber('10.250.0.0'), last: addressNumber('10.250.191.255') },
  denied: [{ first: addressNumber('169.254.0.0'), last: addressNumber('169.254.255.255') }],
  resolvers: ['10.1.1.53'],
};
const member = (egress: Egress[] = []) => ({
  slot: 7,
  address: '10.250.0.8',
  ports: [{ containerPort: 8080, hostPort: 40_001 }],
  egress,
});

const rulesOf = (egress: Egress[]) =>
  egressText('t', 7, egress)
    .split('\n')
    .filter((line) => line.startsWith('add rule'))
    .map((line) => line.replace(/^add rule inet t (exact|broad)7 /, '$1: '));

test('rules become one line each, single addresses before the denials', () => {
  assert.deepEqual(rulesOf([{ protocol: 'all', destination: '0.0.0.0/0' }]), [
    'broad: ip daddr { 0.0.0.0-255.255.255.255 } accept',
  ]);
  assert.deepEqual(rulesOf([{ protocol: 'tcp', destination: '192.0.2.1', ports: '80, 443,8000-9000' }]), [
    'exact: ip daddr { 192.0.2.1 } tcp dport { 80,443,8000-9000 } accept',
  ]);
  assert.deepEqual(rulesOf([{ protocol: 'udp', destination: '192.0.2.0/24,198.51.100.9' }]), [
    'exact: ip daddr { 198.51.100.9 } meta l4proto udp accept',
    'broad: ip daddr { 192.0.2.0-192.0.2.255 } meta l4proto udp accept',
  ]);
  assert.deepEqual(rulesOf([{ protocol: 'icmp', destination: '192.0.2.0/24', type: 8, code: 0 }]), [
    'broad: ip daddr { 192.0.2.0-192.0.2.255 } icmp type 8 icmp code 0 accept',
  ]);
  assert.deepEqual(rulesOf([{ protocol: 'icmp', destination: '192.0.2.0/24', type: -1, code: -1 }]), [
    'broad: ip daddr { 192.0.2.0-192.0.2.255 } ip protocol icmp accept',
  ]);
  assert.deepEqual(rulesOf([{ protocol: 'icmpv6', destination: '::/0' }]), []);
});

test('nothing that is no address, port or range becomes a rule', () => {
  assert.match(faultOfEgress({ protocol: 'tcp', destination: '10.0.0.0/33' }) ?? '', /10\.0\.0\.0\/33/);
  assert.match(faultOfEgress({ protocol: 'tcp', destination: '10.0.0.9-10.0.0.1' }) ?? '', /no IPv4/);
  assert.match(faultOfEgress({ protocol: 'tcp', destination: '10.0.0.1', ports: '1 } accept; #' }) ?? '', /no port/);
  assert.equal(faultOfEgress({ protocol: 'tcp', destination: '10.0.0.1, 10.1.0.0/16', ports: '80, 90-99' }), undefined);
  assert.equal(faultOfEgress({ protocol: 'all', destination: '2001:db8::/32' }), undefined);
});

test('addresses: text and number are the same thing', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(addressText(addressNumber(address)), address);
      assert.equal(formatRange(parseRange(address) ?? { first: 0, last: 0 }), address);
    }),
  );
  assert.deepEqual(parseRange('10.1.2.3/8'), {
    first: addressNumber('10.0.0.0'),
    last: addressNumber('10.255.255.255'),
  });
  assert.equal(parseRange('10.1'), undefined);
});

test('merged ranges cover the same addresses and never overlap', () => {
  const range = fc.tuple(fc.nat(200), fc.nat(20)).map(([first, size]) => ({ first, last: first + size }));
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const merged = mergeRanges(ranges);
      const covers = (all: readonly { first: number; last: number }[], n: number) =>
        all.some(({ first, last }) => first <= n && n <= last);
      for (let n = 0; n <= 230; n++) assert.equal(covers(merged, n), covers(ranges, n));
      for (const [at, each] of merged.entries()) assert.ok(at === 0 || each.first > (merged[at - 1]?.last ?? 0) + 1);
    }),
  );
});

test('the pools of a node share addresses and ports without meeting', () => {
  const range = { first: 40_001, last: 59_999 };
  const [dea, stager] = [shareOf(range, 'dea'), shareOf(range, 'stager')];
  assert.equal(dea.first, range.first);
  assert.equal(stager.last, range.last);
  assert.equal(stager.first, dea.last + 1);
  assert.deepEqual(shareOf(range, 'test'), range);
});

const canCheck = process.getuid?.() === 0 ? false : 'nft checks rules for root only';

test('nft accepts the whole table, and every change of it', { skip: canCheck }, async () => {
  const all: Egress[] = [
    { protocol: 'all', destination: '0.0.0.0/0' },
    { protocol: 'tcp', destination: '192.0.2.1,192.0.2.2-192.0.2.9', ports: '443' },
    { protocol: 'icmp', destination: '10.0.0.0/8', type: 8, code: -1 },
    { protocol: 'udp', destination: '10.0.0.0/8' },
  ];
  const text = [
    tableText(input, [{ ...member(all), slot: 6, address: '10.250.0.7', ports: [] }]),
    memberText(input, member(all)),
    egressText(input.table, 7, []),
    removalText(input, member(all)),
  ].join('\n');
  // -c checks against the kernel and changes nothing.
  await exec(['nft', '-c', '-f', '-'], { input: text });
  await exec(['nft', '-c', '-f', '-'], { input: tableText({ ...input, resolvers: [] }, []) });
});
