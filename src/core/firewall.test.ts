import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { roleNames } from '../contract/node.ts';
import type { Topology } from '../contract/topology.ts';
import { firewallText, parseOpenPort } from './firewall.ts';
import { portsOf } from './port-table.ts';

const config = decode(ClusterConfig, {}, 'config');
const member = (index: number, roles: string[]) => ({
  ...{ id: String(index).repeat(32), index, address: `10.0.0.${index}`, name: '', roles: ['base', ...roles] },
  ...{ zones: [], availabilityZone: 'default', generation: 1 },
});
const topology: Topology = {
  revision: 1,
  core: '1'.repeat(32),
  nodes: [member(1, ['primary', 'controller']), member(2, ['dea']), member(3, ['router'])],
};
const text = (roles: string[], isMicro = false) =>
  firewallText({
    ...{ node: { roles, isMicro }, config, topology: isMicro ? undefined : topology },
    ...{ open: [{ protocol: 'tcp', port: 22 }], containerDevices: ['fabcx'] },
  });

test('each link is open for the nodes that may use it, and for nobody else', () => {
  const core = text(['base', 'primary', 'controller']);
  assert.match(core, /ip saddr \{ 10\.0\.0\.1, 10\.0\.0\.2, 10\.0\.0\.3 \} tcp dport 4222 accept/);
  assert.match(core, /ip saddr \{ 10\.0\.0\.1 \} tcp dport 5432 accept/);
  assert.match(core, /^ {4}tcp dport 8027 accept$/m);
  assert.match(text(['base', 'dea']), /ip saddr \{ 10\.0\.0\.3 \} tcp dport 61001 accept/);
});

test('what is for the machine alone is never opened, whatever the roles', () => {
  fc.assert(
    fc.property(fc.subarray([...roleNames]), fc.boolean(), (roles, isMicro) => {
      const rules = text(roles, isMicro);
      const open = portsOf({ roles, isMicro }, config).filter(({ audience }) => audience !== 'this machine');
      const accepted = [...rules.matchAll(/(?:tcp|udp) dport (\d+) accept/g)].map(([, port]) => Number(port));
      const known = [22, 68, 546, ...open.map(({ first }) => first)];
      assert.deepEqual(
        accepted.filter((port) => !known.includes(port)),
        [],
      );
      assert.match(rules, /policy drop/);
    }),
  );
});

test('ports to open are read with their protocol; anything else is none', () => {
  assert.deepEqual(parseOpenPort('8443'), { protocol: 'tcp', port: 8443 });
  assert.deepEqual(parseOpenPort('53/udp'), { protocol: 'udp', port: 53 });
  for (const wrong of ['0', '65536', 'ssh', '22/sctp', '22; flush ruleset', ''])
    assert.equal(parseOpenPort(wrong), undefined);
});
