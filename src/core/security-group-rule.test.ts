import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleFaults } from './security-group-rule.ts';

test('addresses, networks, ranges and lists of them are destinations', () => {
  for (const destination of ['10.0.0.1', '10.0.0.0/8', '10.0.0.1-10.0.0.9', '1.2.3.4, 5.6.7.0/24', 'fd00::/8', '::1']) {
    assert.deepEqual(ruleFaults({ protocol: 'all', destination }), [], destination);
  }
  for (const destination of [
    '',
    '10.0.0',
    '256.1.1.1',
    '10.0.0.0/33',
    '10.0.0.9-10.0.0.1',
    'example.com',
    '1.2.3.4,',
  ]) {
    assert.equal(ruleFaults({ protocol: 'all', destination }).length, 1, destination);
  }
});

test('ports belong to tcp and udp, type and code to icmp', () => {
  const rule = { destination: '10.0.0.1' };
  for (const ports of ['443', '80,443', '8000-9000', '1-2, 65535']) {
    assert.deepEqual(ruleFaults({ ...rule, protocol: 'tcp', ports }), [], ports);
  }
  for (const ports of ['', '0', '65536', '9-8', 'http', '80,', '1-2-3']) {
    assert.equal(ruleFaults({ ...rule, protocol: 'udp', ports }).length, 1, ports);
  }
  assert.equal(ruleFaults({ ...rule, protocol: 'tcp' }).length, 1);
  assert.equal(ruleFaults({ ...rule, protocol: 'all', ports: '80' }).length, 1);
  assert.deepEqual(ruleFaults({ ...rule, protocol: 'icmp', type: 0, code: -1 }), []);
  assert.equal(ruleFaults({ ...rule, protocol: 'icmp' }).length, 2);
  assert.equal(ruleFaults({ ...rule, protocol: 'tcp', ports: '1', type: 0 }).length, 1);
});
