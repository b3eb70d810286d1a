import { getUser } from '../../platform/system-user.ts';
import { topologyNodeOf } from '../../platform/topology-node.ts';
import { writeLinks } from '../../proxy/link/links.ts';
import type { Node } from '../node.ts';
import { findTopology, writeTopology } from '../topology-file.ts';
import type { Step } from './step.ts';

/** A Core's links to its other nodes; the first topology has the Core alone. */
export const makeLinks: Step = {
  title: 'Links between nodes',
  run: async (context) => {
    const node = await context.node();
    return (await ensureLinks(node)) ? 'done' : 'already';
  },
};

/** Writes the links of a node from its copy of the topology. Gives true when something changed. */
export async function ensureLinks(node: Node): Promise<boolean> {
  const { paths, config, file } = node;
  const topology = (await findTopology(paths)) ?? firstTopology(node);
  const wrote = await writeTopology(paths, topology);
  return (await writeLinks(paths, topology, { nodeId: file.id, config, owner: await getUser('stackato') })) || wrote;
}

function firstTopology({ file }: Node) {
  return { revision: 0, core: file.id, nodes: [topologyNodeOf(file)] };
}
