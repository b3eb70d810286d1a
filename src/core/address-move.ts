import type { Topology } from '../contract/topology.ts';
import { type ClusterRefusal, describeNode, judgeAddress } from './cluster-rules.ts';

/** A node's move from one address to another, and what is known around it. */
export type AddressMove = {
  readonly from: string;
  readonly to: string;
  readonly node: { readonly id: string; readonly address: string };
  /** Addresses that the machine has now. */
  readonly local: readonly string[];
  /** The cluster as this node knows it; undefined on a micro cloud. */
  readonly topology: Topology | undefined;
};

const LOOPBACK = /^127\./;

/** May this node move? Undefined when it may, also when a move that was interrupted is repeated. */
export function judgeMove({ from, to, node, local, topology }: AddressMove): ClusterRefusal | undefined {
  if (from === to) return { refused: `${from} is both the old and the new address`, next: 'kato node migrate OLD NEW' };
  if (node.address !== from && node.address !== to) {
    const holder = topology?.nodes.find(({ address }) => address === from);
    const isCore = holder !== undefined && holder.id === topology?.core;
    return {
      refused: `this node's address is ${node.address}, not ${from}`,
      next:
        holder === undefined
          ? `kato node migrate ${node.address} ${to}`
          : isCore
            ? `${from} is the Core's: migrate there, then \`kato node reattach ${to}\` here`
            : `${from} is that of ${describeNode(holder)}: run it there`,
    };
  }
  if (!local.includes(to)) {
    const others = local.filter((one) => !LOOPBACK.test(one));
    return {
      refused: `this machine does not have the address ${to}; it has ${others.join(', ') || 'none'}`,
      next: 'give the machine its new address first, then run the same command again',
    };
  }
  if (topology === undefined) return undefined;
  if (LOOPBACK.test(to)) return { refused: `${to} can't be reached by other nodes`, next: 'give another address' };
  return judgeAddress({ id: node.id, address: to }, topology);
}

/** The same cluster with one node at another address. */
export function withAddress(topology: Topology, nodeId: string, address: string): Topology {
  const nodes = topology.nodes.map((node) => (node.id === nodeId ? { ...node, address } : node));
  return { ...topology, nodes };
}
