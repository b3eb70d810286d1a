import { hostname } from 'node:os';
import type { NodeFile } from '../contract/node.ts';
import type { TopologyNode } from '../contract/topology.ts';

/** What the cluster knows of this machine when it is the first node. */
export function topologyNodeOf(file: NodeFile): TopologyNode {
  const { id, index, address, roles, zones = [], availabilityZone } = file;
  return { id, index, address, name: hostname(), roles, zones, availabilityZone, generation: 1 };
}
