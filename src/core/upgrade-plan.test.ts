import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Upgrade } from '../contract/release.ts';
import { defaultRoleOrder, mustEvacuate, nextNode, orderNodes, refuseRelease, withNodeState } from './upgrade-plan.ts';

const node = (index: number, ...roles: string[]) => ({ id: `n${index}`, index, address: `10.0.0.${index}`, roles });

test('nodes go by their roles, then by number', () => {
  const nodes = [
    node(4, 'dea'),
    node(3, 'base', 'router'),
    node(2, 'mysql'),
    node(1, 'dea'),
    node(0, 'primary', 'dea'),
  ];
  const order = (roleOrder: readonly string[]) => orderNodes(nodes, roleOrder).map(({ index }) => index);
  assert.deepEqual(order(defaultRoleOrder), [0, 3, 1, 4, 2]);
  assert.deepEqual(order(['dea', 'router']), [0, 1, 4, 3, 2]);
  assert.deepEqual(order([]), [0, 1, 2, 3, 4]);
});

test('each node is in the order once', () => {
  const roles = fc.subarray([...defaultRoleOrder, 'mysql']);
  const nodes = fc.array(roles).map((all) => all.map((one, index) => node(index, ...one)));
  fc.assert(
    fc.property(nodes, fc.shuffledSubarray([...defaultRoleOrder]), (given, roleOrder) => {
      const ids = orderNodes(given, roleOrder).map(({ id }) => id);
      assert.deepEqual(ids.toSorted(), given.map(({ id }) => id).toSorted());
    }),
  );
});

test('a release that is older, or for another processor, is refused', () => {
  const running = { version: '1.9.2', arch: 'x64' };
  const judge = (version: string, arch = 'x64', isForced = false) =>
    refuseRelease({ version, arch }, running, { isForced });
  for (const version of ['1.9.2', '1.9.3', '1.10.0', '2.0.0']) assert.equal(judge(version), undefined, version);
  for (const version of ['1.9.1', '1.8.9', '0.99.99']) assert.match(judge(version) ?? '', /older/, version);
  assert.equal(judge('1.0.0', 'x64', true), undefined);
  assert.match(judge('2.0.0', 'arm64', true) ?? '', /arm64/);
});

test('an upgrade goes on at the first node that is not done', () => {
  const waiting: Upgrade = {
    release: { version: '2.0.0', arch: 'x64' },
    sha256: '',
    nodes: ['a', 'b', 'c'].map((id) => ({ id, address: id, state: 'waiting' as const })),
    evacuates: true,
    offline: false,
  };
  const first = withNodeState(waiting, 'a', { state: 'done' });
  assert.equal(nextNode(first)?.id, 'b');
  const failed = withNodeState(first, 'b', { state: 'failed', because: 'a full disk' });
  assert.deepEqual(nextNode(failed), { id: 'b', address: 'b', state: 'failed', because: 'a full disk' });
  const mended = withNodeState(failed, 'b', { state: 'done' });
  assert.equal(mended.nodes[1]?.because, undefined);
  assert.equal(nextNode(withNodeState(mended, 'c', { state: 'done' })), undefined);
});

test('a DEA is emptied when there is another', () => {
  const nodes = [node(0, 'primary', 'dea'), node(1, 'router'), node(2, 'dea')];
  assert.deepEqual(
    nodes.map((one) => mustEvacuate(one, nodes)),
    [true, false, true],
  );
  assert.equal(mustEvacuate(node(0, 'dea'), nodes.slice(0, 2)), false);
});
