import type { RoleName } from '../../contract/node.ts';
import type { Topology } from '../../contract/topology.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { restartProcesses, startProcesses } from '../lifecycle.ts';
import { findNode, type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { writeNode } from '../setup/state-folder.ts';
import type { Terminal } from '../terminal.ts';
import { readTopology } from './registry-client.ts';
import { changeRoles } from './role-change.ts';

export type BalancerSetup = {
  /** Addresses of the only routers to send requests to; none = every router of the cluster, as they come and go. */
  readonly routers: readonly string[];
  /** Takes other roles away. */
  readonly isForced: boolean;
};

/**
 * Makes this node of a cluster its load balancer. A router on it gives way: both listen where requests come in. Safe to
 * repeat, also when it was interrupted.
 *
 * @returns the node, and the addresses of the routers that it sends requests to now
 */
export async function setUpLoadBalancer(
  { routers, isForced }: BalancerSetup,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<{ node: Node; routers: readonly string[] }> {
  const options = { say: terminal.say, signal };
  const node = await openAttached();
  const topology = await readTopology(node);
  const known = listRouters(topology, node.file.id);
  requireRouters(routers, known);
  const others = node.file.roles.filter((role) => role !== 'base' && role !== 'load_balancer') as RoleName[];
  requireAlone(others, isForced);
  const isOtherList = (node.file.routers ?? []).join() !== routers.join();
  const wasBalancer = node.file.roles.includes('load_balancer');
  const { routers: _before, ...file } = node.file;
  if (isOtherList) await writeNode(node.paths, { ...file, ...(routers.length > 0 ? { routers: [...routers] } : {}) });
  const change = { add: ['load_balancer'], remove: others, start: true } as const;
  const { node: after } = await changeRoles(await openNode(), change, { terminal, signal });
  const plans = listProcesses(after.file);
  await startProcesses(after, plans, options);
  const balancer = plans.filter(({ role }) => role === 'load_balancer');
  if (isOtherList && wasBalancer) await restartProcesses(after, balancer, options);
  return { node: after, routers: routers.length > 0 ? routers : known };
}

async function openAttached(): Promise<Node> {
  const node = await findNode();
  if (node !== undefined && !node.file.isMicro) return node;
  throw new Refusal(
    `this machine is ${node === undefined ? 'no node of a cluster yet' : 'a micro cloud, with a router of its own'}`,
    'attach it as the load balancer of a cluster: kato node attach CORE_IP -e load_balancer --token TOKEN',
  );
}

/** Other nodes' routers: this node's own gives way. */
function listRouters({ nodes }: Topology, self: string): string[] {
  return nodes.filter(({ id, roles }) => id !== self && roles.includes('router')).map(({ address }) => address);
}

function requireRouters(wanted: readonly string[], known: readonly string[]): void {
  if (known.length === 0) {
    throw new Refusal(
      'no other node of the cluster has the role router: there would be nothing to balance',
      'give one the role: kato role add router',
    );
  }
  const unknown = wanted.filter((address) => !known.includes(address));
  if (unknown.length === 0) return;
  throw new Refusal(
    `${unknown.join(', ')}: no router of this cluster has that address; its routers: ${known.join(', ')}`,
    'name some of these, or none for all of them, also those to come',
  );
}

/** A router alone gives way without being forced: its requests come in by the load balancer from then on. */
function requireAlone(others: readonly string[], isForced: boolean): void {
  if (others.includes('primary')) {
    throw new Refusal(
      'this is the Core node: a load balancer has no other role, and the Core keeps its own',
      'attach a machine of its own: kato node attach CORE_IP -e load_balancer --token TOKEN',
    );
  }
  const inTheWay = others.filter((role) => role !== 'router');
  if (inTheWay.length === 0 || isForced) return;
  throw new Refusal(
    `a load balancer has no other role, and this node has ${inTheWay.join(', ')}`,
    inTheWay.includes('dea')
      ? 'move its instances first (kato node retire), then take the roles away with --force'
      : 'take them away with --force',
  );
}
