import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Topology } from '../contract/topology.ts';
import { type AddressMove, judgeMove, withAddress } from './address-move.ts';

const entry = (id: string, index: number, address: string) => ({
  ...{ id, index, address, name: '', roles: ['base'], zones: [], availabilityZone: 'default', generation: 1 },
});
const topology: Topology = {
  revision: 3,
  core: 'a',
  nodes: [entry('a', 0, '10.0.0.1'), entry('b', 1, '10.0.0.2'), entry('c', 2, '10.0.0.3')],
};
const move: AddressMove = {
  from: '10.0.0.1',
  to: '10.0.0.9',
  node: { id: 'a', address: '10.0.0.1' },
  local: ['127.0.0.1', '10.0.0.9'],
  topology,
};

test('a node moves to an address that its machine has and no other node, once or again', () => {
  assert.equal(judgeMove(move), undefined);
  assert.equal(judgeMove({ ...move, node: { id: 'a', address: '10.0.0.9' } }), undefined);
  assert.equal(judgeMove({ ...move, to: '127.0.0.1', topology: undefined }), undefined);
});

test('what can’t be is refused, with the address that it has or the node to go to', () => {
  const why = (other: Partial<AddressMove>) => {
    const refusal = judgeMove({ ...move, ...other });
    return `${refusal?.refused} → ${refusal?.next}`;
  };
  assert.match(why({ to: '10.0.0.1' }), /both the old and the new/);
  assert.match(why({ to: '10.0.0.8' }), /does not have the address 10\.0\.0\.8; it has 10\.0\.0\.9/);
  assert.match(why({ to: '10.0.0.2', local: ['10.0.0.2'] }), /belongs to another node.*10\.0\.0\.2/);
  assert.match(why({ to: '127.0.0.1' }), /can't be reached/);
  assert.match(
    why({ from: '10.0.0.7' }),
    /is 10\.0\.0\.1, not 10\.0\.0\.7 → kato node migrate 10\.0\.0\.1 10\.0\.0\.9/,
  );
  assert.match(why({ from: '10.0.0.3' }), /is that of node 2, 10\.0\.0\.3: run it there/);
  const onAttached = { node: { id: 'b', address: '10.0.0.2' }, local: ['10.0.0.2', '10.0.0.9'] };
  assert.match(why(onAttached), /the Core's: migrate there, then `kato node reattach 10\.0\.0\.9` here/);
});

test('only the moved node has another address in the topology', () => {
  const moved = withAddress(topology, 'a', '10.0.0.9');
  assert.deepEqual(
    moved.nodes.map(({ address }) => address),
    ['10.0.0.9', '10.0.0.2', '10.0.0.3'],
  );
  assert.equal(moved.revision, 3);
});
