import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import type { Topology } from '../contract/topology.ts';
import { planLinks } from './link-plan.ts';
import { findPortUse, type Listener, portsOf } from './port-table.ts';

const config = decode(ClusterConfig, {}, 'config');
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
    node(5, ['load_balancer']),
  ],
};
const sockets = { registry: '/r.sock', registryLink: '/l.sock', database: '/d.sock' };

test('the table has exactly the far ends of the links that each node gives, for those who may use them', () => {
  for (const { id: nodeId, roles } of topology.nodes) {
    const { incoming } = planLinks(topology, nodeId, { config, sockets });
    const inTable = portsOf({ roles }, config).filter(({ address }) => address === 'node');
    assert.deepEqual(
      inTable.map(({ name, first }) => `${name} ${first}`).sort(),
      incoming.map(({ name, port }) => `${name} ${port}`).sort(),
    );
    for (const link of incoming.filter(({ tls }) => tls === 'nodes')) {
      const audience = inTable.find(({ name }) => name === link.name)?.audience ?? [];
      const allowed = topology.nodes.filter(
        (one) => audience === 'nodes' || (Array.isArray(audience) && audience.some((role) => one.roles.includes(role))),
      );
      assert.deepEqual(
        allowed.map((one) => one.id),
        link.allowed,
        link.name,
      );
    }
  }
});

test('the table has the near ends of the links of each node', () => {
  for (const { id: nodeId, roles } of topology.nodes) {
    const { outgoing } = planLinks(topology, nodeId, { config, sockets });
    const near = portsOf({ roles }, config).filter(({ address }) => address === 'link');
    for (const { name, bind } of outgoing.filter((link) => !link.bind.startsWith('/'))) {
      const use = near.find((one) => one.name === name);
      assert.equal(bind, `127.0.0.2:${use?.first}`, `${name} of ${roles}`);
    }
  }
});

test('a socket is allowed for its program, at its address, on a node with its role', () => {
  const uses = portsOf({ roles: ['base', 'primary', 'controller', 'router'] }, config);
  const found = (one: Partial<Listener>) =>
    findPortUse({ protocol: 'tcp', address: '0.0.0.0', port: 80, pid: 7, program: 'haproxy', ...one }, uses, '10.0.0.1')
      ?.name;
  assert.equal(found({}), 'http');
  assert.equal(found({ address: '[::]' }), 'http');
  assert.equal(found({ program: 'nginx' }), undefined);
  assert.equal(found({ protocol: 'udp' }), undefined);
  assert.equal(found({ port: 4222, address: '10.0.0.1' }), 'bus');
  assert.equal(found({ port: 4222, address: '127.0.0.1', program: 'nats-server' }), 'bus');
  assert.equal(found({ port: 4222, address: '0.0.0.0', program: 'nats-server' }), undefined);
  assert.equal(found({ port: 40_404, address: '127.0.0.1', program: 'node' }), 'status');
  assert.equal(found({ port: 40_404, address: '0.0.0.0', program: 'node' }), undefined);
  assert.equal(found({ port: 61_001, address: '10.0.0.1' }), undefined);
});

test('a micro cloud shows the network its routers and nothing else', () => {
  const roles = ['base', 'primary', 'controller', 'router', 'dea', 'stager'];
  const open = portsOf({ roles, isMicro: true }, config).filter(({ audience }) => audience !== 'this machine');
  assert.deepEqual(
    open.map(({ first }) => first),
    [80, 443],
  );
});
