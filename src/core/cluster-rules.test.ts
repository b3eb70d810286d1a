import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Topology } from '../contract/topology.ts';
import { type JoinToken, judgeAddress, judgeBlobs, judgeJoin, judgeRemoval, judgeSetUp } from './cluster-rules.ts';

const id = (index: number) => String(index).repeat(32);
const topology: Topology = {
  revision: 1,
  core: id(1),
  nodes: [1, 2].map((index) => ({
    ...{ id: id(index), index, address: `10.0.0.${index}`, name: '', roles: ['base'], zones: [] },
    ...{ availabilityZone: 'default', generation: 1 },
  })),
};
const nowMs = 1_000_000_000;
const fresh: JoinToken = { expiresAtMs: nowMs + 1000, usesLeft: 1, usedBy: [] };
const joining = {
  ...{ id: id(3), address: '10.0.0.3', version: '1.2.0', isVersionForced: false, roles: ['dea'], clockMs: nowMs },
};
const judge = (change: Partial<typeof joining> = {}, token: JoinToken | undefined = fresh) =>
  judgeJoin({ ...joining, ...change }, { topology, token, version: '1.2.3', nowMs })?.refused;

test('a machine with a good token, clock, version, address and roles may join', () => {
  assert.equal(judge(), undefined);
});

test('why a machine may not join', () => {
  const table: [Partial<typeof joining>, JoinToken | undefined, RegExp][] = [
    [{}, { ...fresh, expiresAtMs: nowMs - 1 }, /not valid/],
    [{}, { ...fresh, usesLeft: 0 }, /used already/],
    [{ version: '1.1.9' }, fresh, /version 1\.1\.9/],
    [{ clockMs: nowMs + 3_600_000 }, fresh, /3600 s ahead/],
    [{ clockMs: nowMs - 3_600_000 }, fresh, /3600 s behind/],
    [{ address: '10.0.0.2' }, fresh, /belongs to another node/],
    [{ roles: ['primary'] }, fresh, /exactly one/],
    [{ roles: ['mdns'] }, fresh, /micro clouds only/],
    [{ roles: ['dea', 'load_balancer'] }, fresh, /excludes every other/],
    [{ roles: ['dae'] }, fresh, /no role dae/],
  ];
  for (const [change, token, why] of table) assert.match(judge(change, token) ?? 'may join', why);
  const unknown = { topology, token: undefined, version: '1.2.3', nowMs };
  assert.match(judgeJoin(joining, unknown)?.refused ?? 'may join', /not valid/);
});

test('a machine may repeat its own join with a token that is used up, and force another version', () => {
  const second = { ...joining, id: id(2), address: '10.0.0.2' };
  assert.equal(judge(second, { ...fresh, usesLeft: 0, usedBy: [id(2)] }), undefined);
  assert.equal(judge({ version: '0.9.0', isVersionForced: true }), undefined);
});

test('a node that was removed does not come back with its old token', () => {
  assert.match(judge({}, { ...fresh, usesLeft: 0, usedBy: [id(3)] }) ?? 'may join', /used already/);
});

test('a node may keep its own address; the Core can not be removed', () => {
  assert.equal(judgeAddress({ id: id(2), address: '10.0.0.2' }, topology), undefined);
  assert.match(judgeRemoval(id(1), topology)?.refused ?? '', /Core/);
  assert.match(judgeRemoval(id(7), topology)?.refused ?? '', /no such node/);
  assert.equal(judgeRemoval(id(2), topology), undefined);
});

test('a further controller needs blobs that are shared', () => {
  const may = (roles: string[], kind: string, folder: string) => judgeBlobs(roles, { kind, folder }) === undefined;
  assert.deepEqual(
    [may(['controller'], 'folder', ''), may(['controller'], 'folder', '/mnt/blobs'), may(['controller'], 's3', '')],
    [false, true, true],
  );
  assert.ok(may(['dea'], 'folder', ''));
});

test('a node of a cluster is not set up anew', () => {
  const micro = { id: id(1), isMicro: true, roles: ['primary'], coreAddress: '10.0.0.1' };
  const core = { ...micro, isMicro: false };
  const attached = { ...core, id: id(2), roles: ['dea'] };
  for (const kind of ['micro', 'core'] as const) {
    assert.equal(judgeSetUp(kind, micro, undefined), undefined);
    assert.match(judgeSetUp(kind, attached, topology)?.refused ?? '', /belongs to the cluster of 10\.0\.0\.1/);
  }
  assert.equal(judgeSetUp('core', core, topology), undefined);
  assert.match(judgeSetUp('micro', core, topology)?.refused ?? '', /1 other node: .*10\.0\.0\.2/);
  assert.equal(judgeSetUp('micro', core, { nodes: topology.nodes.slice(0, 1) }), undefined);
});
