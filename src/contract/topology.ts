import type { Static } from 'typebox';
import Type from 'typebox';

/** One node of a cluster, as every other node knows it. */
export const TopologyNode = Type.Object({
  id: Type.String({ description: '32 hex' }),
  index: Type.Integer({ minimum: 0, description: 'never used again after the node was removed' }),
  address: Type.String({ description: 'how other nodes reach it' }),
  name: Type.String({ default: '', description: 'host name of the machine' }),
  roles: Type.Array(Type.String()),
  zones: Type.Array(Type.String(), { default: [], description: 'placement zones; none = default' }),
  availabilityZone: Type.String({ default: 'default' }),
  generation: Type.Integer({ default: 1, description: 'counts renewals of its bus and database passwords' }),
});
export type TopologyNode = Static<typeof TopologyNode>;

/** `topology.json`: the nodes of the cluster. Kept by the primary, copied to every node. Holds no secrets. */
export const Topology = Type.Object({
  revision: Type.Integer({ default: 0 }),
  core: Type.String({ description: 'id of the Core node' }),
  nodes: Type.Array(TopologyNode),
});
export type Topology = Static<typeof Topology>;

/**
 * Where a cluster's nodes reach a service that other nodes give: the near end of the node's own links. Loopback, so
 * that components need neither addresses nor certificates; a micro cloud has the services themselves at 127.0.0.1.
 */
export const linkHost = '127.0.0.2';

/** Host at which this node's processes reach the controllers' services. */
export function serviceHost(node: { readonly isMicro?: boolean | undefined }): string {
  return node.isMicro ? '127.0.0.1' : linkHost;
}

/** Name of a node in certificates. */
export function nodeCertificateName(nodeId: string): string {
  return `${nodeId}.node.stackato`;
}

/** The names in a node's certificate: its own, those of its instances, its address. */
export function certificateNames(node: Pick<TopologyNode, 'id' | 'address'>): string[] {
  const name = nodeCertificateName(node.id);
  return [`DNS:${name}`, `DNS:*.${name}`, `IP:${node.address}`];
}
