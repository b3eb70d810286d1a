import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStaticAddress } from './static-address.ts';

const good = { address: '10.0.0.5/24', gateway: '10.0.0.1', dns: '10.0.0.2, 9.9.9.9' };

test('an address, its gateway and name servers are read', () => {
  assert.deepEqual(readStaticAddress(good), {
    address: '10.0.0.5',
    length: 24,
    gateway: '10.0.0.1',
    dns: ['10.0.0.2', '9.9.9.9'],
  });
  const wide = { ...good, address: '172.16.200.9/12', gateway: '172.31.255.254' };
  assert.ok(!('refused' in readStaticAddress(wide)));
});

test('what can not be the address of a machine is refused with the reason', () => {
  const cases: [Partial<typeof good>, RegExp][] = [
    [{ address: '10.0.0.5' }, /no address with the length/],
    [{ address: '10.0.0.256/24' }, /no address with the length/],
    [{ address: '010.0.0.5/24' }, /no address with the length/],
    [{ address: '10.0.0.5/31' }, /no address with the length/],
    [{ address: '10.0.0.0/24' }, /is the name of the network/],
    [{ address: '10.0.0.255/24' }, /is for everyone/],
    [{ address: '127.0.0.5/8', gateway: '127.0.0.1' }, /no address of a machine/],
    [{ address: '224.0.0.5/24' }, /no address of a machine/],
    [{ gateway: 'router' }, /the gateway 'router' is no address/],
    [{ gateway: '10.0.1.1' }, /is not in the network/],
    [{ gateway: '10.0.0.5' }, /and its gateway/],
    [{ gateway: '10.0.0.255' }, /the gateway 10\.0\.0\.255 is for everyone/],
    [{ dns: '10.0.0.2,dns.example.com' }, /'dns\.example\.com' is no address/],
    [{ dns: ' ' }, /at least one/],
  ];
  for (const [change, reason] of cases) {
    const outcome = readStaticAddress({ ...good, ...change });
    assert.match('refused' in outcome ? outcome.refused : 'taken', reason);
  }
});
