import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import type { Topology } from '../contract/topology.ts';
import { planLinks } from './link-plan.ts';

const config = decode(ClusterConfig, {}, 'config');
const sockets = { registry: '/r.sock', registryLink: '/l.sock', database: '/d.sock' };
const id = (index: number) => String(index).repeat(32);
const node = (index: number, roles: string[]) => ({
  ...{ id: id(index), index, address: `10.0.0.${index}`, name: '', roles: ['base', ...roles], zones: [] },
  ...{ availabilityZone: 'default', generation: 1 },
});
const topology: Topology = {
  revision: 1,
  core: id(1),
  nodes: [
    node(1, ['primary', 'controller', 'router']),
    node(2, ['dea', 'stager']),
    node(3, ['controller']),
    node(4, ['router']),
  ],
};
const plan = (index: number) => planLinks(topology, id(index), { config, sockets });
const names = (links: readonly { name: string }[]) => links.map(({ name }) => name).sort();

test('a node gives what its roles provide, and takes what they need', () => {
  assert.deepEqual(names(plan(1).incoming), ['aok', 'bus', 'controller', 'database', 'join', 'logyard', 'registry']);
  assert.deepEqual(names(plan(2).incoming), ['instances']);
  assert.deepEqual(names(plan(2).outgoing), ['bus', 'controller', 'registry']);
  assert.deepEqual(names(plan(4).incoming), []);
  assert.deepEqual(names(plan(4).outgoing), ['aok', 'bus', 'controller', 'logyard', 'registry']);
});

test('the database is for nodes with controllers, instances for nodes with routers', () => {
  const allowed = (index: number, name: string) => plan(index).incoming.find((link) => link.name === name)?.allowed;
  assert.deepEqual(allowed(1, 'database'), [id(1), id(3)]);
  assert.deepEqual(allowed(2, 'instances'), [id(1), id(4)]);
  assert.deepEqual(allowed(1, 'registry'), [id(1), id(2), id(3), id(4)]);
});

test('a service of several nodes is reached on all of them, one’s own without a detour', () => {
  const servers = plan(3).outgoing.find(({ name }) => name === 'controller')?.servers;
  assert.deepEqual(servers, [
    { id: id(1), host: '10.0.0.1', port: 8022, isLocal: false },
    { id: id(3), host: '127.0.0.1:8022', port: 8022, isLocal: true },
  ]);
});

test('a node knows which of its services others give too', () => {
  const shared = plan(1).incoming.filter(({ isShared }) => isShared);
  assert.deepEqual(names(shared), ['aok', 'controller', 'logyard']);
});

test('everything but the bus, which has TLS of its own, and the join port is closed to strangers', () => {
  const open = topology.nodes.flatMap(({ index }) => plan(index).incoming).filter(({ tls }) => tls !== 'nodes');
  assert.deepEqual(names(open), ['bus', 'join']);
});

test('the Core’s own processes have no way into the registry but its socket', () => {
  assert.ok(!names(plan(1).outgoing).includes('registry'));
});

test('a node that left has no links', () => {
  assert.throws(() => planLinks(topology, id(9), { config, sockets }), /does not list/);
});
