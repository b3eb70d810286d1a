import { type NodeFile, type RoleName, roleNames } from '../contract/node.ts';
import type { Topology, TopologyNode } from '../contract/topology.ts';
import { planRoleChange } from './role-plan.ts';

/** Why something about a cluster's nodes can't be, and what to do. */
export type ClusterRefusal = { readonly refused: string; readonly next: string };

/** A join token as stored. */
export type JoinToken = {
  readonly expiresAtMs: number;
  readonly usesLeft: number;
  /** Nodes that joined with it; each may repeat its join. */
  readonly usedBy: readonly string[];
};

export type Joining = {
  readonly id: string;
  readonly address: string;
  readonly version: string;
  readonly isVersionForced: boolean;
  readonly roles: readonly string[];
  readonly clockMs: number;
};

const CLOCK_TOLERANCE_MS = 60_000;

/** May this machine join? Undefined when it may. */
export function judgeJoin(
  joining: Joining,
  cluster: { topology: Topology; token: JoinToken | undefined; version: string; nowMs: number },
): ClusterRefusal | undefined {
  const { topology, token, version, nowMs } = cluster;
  const isKnown = token !== undefined && isRepeated(joining.id, { token, topology });
  if (token === undefined || token.expiresAtMs < nowMs) {
    return {
      refused: 'the join token is not valid, or no longer',
      next: 'make a new one on the Core node: kato node token',
    };
  }
  if (token.usesLeft < 1 && !isKnown) {
    return { refused: 'the join token was used already', next: 'make a new one on the Core node: kato node token' };
  }
  const versions = judgeVersions(joining, version);
  if (versions !== undefined) return versions;
  const skewMs = joining.clockMs - nowMs;
  if (Math.abs(skewMs) > CLOCK_TOLERANCE_MS) {
    const way = skewMs > 0 ? 'ahead of' : 'behind';
    return {
      refused: `this machine's clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${way} the Core's`,
      next: 'set the clock (for example: apt-get install -y chrony), then attach again',
    };
  }
  return judgeAddress(joining, topology) ?? judgeRoles(joining.roles);
}

/** Did this machine join with the token before, and is a node still? One that was removed needs a use of its own. */
export function isRepeated(id: string, seen: { token: Pick<JoinToken, 'usedBy'>; topology: Topology }): boolean {
  return seen.token.usedBy.includes(id) && seen.topology.nodes.some((node) => node.id === id);
}

/** May this machine be set up as a micro cloud, or as the Core of a cluster of its own? Undefined when it may. */
export function judgeSetUp(
  kind: 'micro' | 'core',
  node: Pick<NodeFile, 'id' | 'isMicro' | 'roles' | 'coreAddress'>,
  topology: Pick<Topology, 'nodes'> | undefined,
): ClusterRefusal | undefined {
  if (node.isMicro) return undefined;
  if (!node.roles.includes('primary')) {
    return { refused: `this node belongs to the cluster of ${node.coreAddress}`, next: 'run `kato node detach` first' };
  }
  const others = topology?.nodes.filter(({ id }) => id !== node.id) ?? [];
  if (kind === 'core' || others.length === 0) return undefined;
  return {
    refused: `this is the Core node of a cluster, with ${others.length} other ${others.length === 1 ? 'node' : 'nodes'}: ${others.map(describeNode).join('; ')}`,
    next: 'run `kato node detach` on them, or `kato node remove` here, first',
  };
}

/** Nodes of one cluster run one minor version; patch levels may differ. */
export function areCompatible(one: string, other: string): boolean {
  const minor = (version: string) => version.split('.').slice(0, 2).join('.');
  return minor(one) === minor(other);
}

function judgeVersions({ version: theirs, isVersionForced }: Joining, ours: string): ClusterRefusal | undefined {
  if (areCompatible(theirs, ours) || isVersionForced) return undefined;
  const isOlder = theirs.localeCompare(ours, 'en', { numeric: true }) < 0;
  return {
    refused: `this machine runs version ${theirs}, the cluster ${ours}`,
    next: `upgrade ${isOlder ? 'this machine' : 'the cluster (kato node upgrade on the Core)'} first, or attach with --force`,
  };
}

/** An address belongs to one node. */
export function judgeAddress(
  node: { readonly id: string; readonly address: string },
  topology: Topology,
): ClusterRefusal | undefined {
  const holder = topology.nodes.find(({ id, address }) => address === node.address && id !== node.id);
  if (holder === undefined) return undefined;
  return {
    refused: `the address ${node.address} belongs to another node of the cluster (${describeNode(holder)})`,
    next: `if that node is gone, run on the Core: kato node remove ${node.address}`,
  };
}

/** Roles of a node that is not the Core. */
export function judgeRoles(roles: readonly string[]): ClusterRefusal | undefined {
  const unknown = roles.filter((role) => !roleNames.some((name) => name === role));
  if (unknown.length > 0)
    return { refused: `there is no role ${unknown.join(', ')}`, next: 'kato role info lists them' };
  const planned = planRoleChange(
    { roles: ['base'], isCore: false, isMicro: false },
    { add: roles.filter((role) => role !== 'base') as RoleName[], remove: [] },
  );
  return 'refused' in planned ? { refused: planned.refused, next: 'attach with other roles (-e)' } : undefined;
}

/** Controllers of several nodes need the same blobs. Undefined when these roles may be on a node beside the Core. */
export function judgeBlobs(
  roles: readonly string[],
  { kind, folder }: { readonly kind: string; readonly folder: string },
): ClusterRefusal | undefined {
  if (!roles.includes('controller') || kind !== 'folder' || folder !== '') return undefined;
  return {
    refused: "a further controller needs the first one's blobs, and those are in a folder of the Core node alone",
    next: 'mount a shared file system on both nodes and, on the Core, run: kato config set blobs.folder /mnt/blobs (docs/operations/controllers.md)',
  };
}

/** May this node be taken out of the cluster? Undefined when it may. */
export function judgeRemoval(nodeId: string, topology: Topology): ClusterRefusal | undefined {
  const node = topology.nodes.find(({ id }) => id === nodeId);
  if (node === undefined) return { refused: 'the cluster has no such node', next: 'kato node list' };
  if (node.id !== topology.core) return undefined;
  return {
    refused: 'this is the Core node: the cluster is nothing without it',
    next: 'detach or remove the other nodes first; then `kato node setup micro` makes it a micro cloud again',
  };
}

/** How a node is told from others in texts: its name or index. */
export function describeNode(node: Pick<TopologyNode, 'name' | 'index' | 'address'>): string {
  return `node ${node.index}${node.name === '' ? '' : `, ${node.name}`}, ${node.address}`;
}
