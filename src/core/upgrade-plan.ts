import type { Release, Upgrade } from '../contract/release.ts';
import type { TopologyNode } from '../contract/topology.ts';

type Member = Pick<TopologyNode, 'id' | 'index' | 'address' | 'roles'>;

/** Which nodes go first, by their roles: those that others depend on must understand both versions. */
export const defaultRoleOrder: readonly string[] = [
  ...['primary', 'controller', 'load_balancer', 'router', 'stager', 'dea'],
];

/** The nodes in the order of their upgrade: by the first role of the order that they have, then by number. */
export function orderNodes(nodes: readonly Member[], roleOrder: readonly string[]): Member[] {
  const rank = ({ roles }: Member) => {
    const at = roleOrder.findIndex((role) => roles.includes(role));
    return at === -1 ? roleOrder.length : at;
  };
  return nodes.toSorted((a, b) => rank(a) - rank(b) || a.index - b.index);
}

/** Why this release can't follow the version that runs; undefined when it can. */
export function refuseRelease(
  release: Release,
  running: { readonly version: string; readonly arch: string },
  options: { readonly isForced: boolean },
): string | undefined {
  if (release.arch !== running.arch) return `the release is for ${release.arch}, this machine is ${running.arch}`;
  if (options.isForced) return undefined;
  const order = compareVersions(release.version, running.version);
  if (order < 0) return `the release is version ${release.version}, older than the ${running.version} that runs`;
  return undefined;
}

/** The node to upgrade next: one that was interrupted, failed, or is still waiting. */
export function nextNode(upgrade: Upgrade): Upgrade['nodes'][number] | undefined {
  return upgrade.nodes.find(({ state }) => state !== 'done');
}

/** The upgrade with a node's new state. */
export function withNodeState(
  upgrade: Upgrade,
  id: string,
  change: Pick<Upgrade['nodes'][number], 'state' | 'because'>,
): Upgrade {
  const nodes = upgrade.nodes.map(({ because: _, ...node }) => (node.id === id ? { ...node, ...change } : node));
  return { ...upgrade, nodes };
}

/** Should the instances of this node's DEA move first? Not where they could go nowhere. */
export function mustEvacuate(node: Pick<Member, 'id' | 'roles'>, nodes: readonly Member[]): boolean {
  return node.roles.includes('dea') && nodes.some(({ id, roles }) => id !== node.id && roles.includes('dea'));
}

/** Negative when `a` is the older version. */
function compareVersions(a: string, b: string): number {
  const [left = [], right = []] = [a, b].map((version) => version.split(/[.-]/).map((part) => Number(part) || 0));
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
