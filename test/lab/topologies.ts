/** A cluster as the lab makes it: the roles of the Core besides its own, then those of each node attached to it. */
export type LabTopology = { readonly core: readonly string[]; readonly nodes: readonly (readonly string[])[] };

const dea = (count: number) => Array.from({ length: count }, () => ['dea']);

/**
 * The clusters of the operator's handbook. Nodes of data services come with those roles; until then a further controller, a
 * third router and a stager stand in for them among twenty.
 */
export const topologies: Readonly<Record<string, LabTopology>> = {
  'single-node': { core: ['dea', 'stager'], nodes: [] },
  'three-node': { core: ['stager'], nodes: dea(2) },
  'three-node-balanced': { core: ['stager', 'dea'], nodes: [['controller', 'router'], ['load_balancer']] },
  'five-node': { core: [], nodes: [['stager'], ...dea(3)] },
  'twenty-node': {
    core: [],
    nodes: [
      ...[['controller'], ['controller'], ['load_balancer'], ['router'], ['router'], ['router'], ['stager']],
      ...dea(12),
    ],
  },
};
