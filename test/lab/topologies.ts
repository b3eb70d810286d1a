/** A cluster as the lab makes it: the roles of the Core besides its own, then those of each node attached to it. */
export type LabTopology = { readonly core: readonly string[]; readonly nodes: readonly (readonly string[])[] };

const dea = (count: number) => Array.from({ length: count }, () => ['dea']);

/**
 * The clusters of the operator's handbook. Nodes of data services come with those roles; until then the stager, which is
 * given no node of its own there, sits beside the first DEA or on the Core.
 */
export const topologies: Readonly<Record<string, LabTopology>> = {
  'single-node': { core: ['dea', 'stager'], nodes: [] },
  'three-node': { core: ['stager'], nodes: dea(2) },
  'three-node-balanced': { core: ['stager', 'dea'], nodes: [['controller', 'router'], ['load_balancer']] },
  'five-node': { core: [], nodes: [['stager'], ...dea(3)] },
  'twenty-node': {
    core: [],
    nodes: [['controller'], ['load_balancer'], ['router'], ['router'], ['stager'], ['stager'], ['stager'], ...dea(12)],
  },
};
