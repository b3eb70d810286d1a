import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Bus } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import type { RoleName } from '../contract/node.ts';
import type { JoinRequest, NodeChange, NodeMaterial } from '../contract/registry.ts';
import { subjects } from '../contract/subjects.ts';
import { certificateNames, type Topology, type TopologyNode } from '../contract/topology.ts';
import { platformVersion } from '../contract/version.ts';
import { type ClusterRefusal, judgeAddress, judgeBlobs, judgeJoin, judgeRemoval } from '../core/cluster-rules.ts';
import { planRoleChange } from '../core/role-plan.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Paths } from '../platform/paths.ts';
import type { Random } from '../platform/random.ts';
import { signCertificateRequest } from '../platform/tls.ts';
import { databaseLogins, type MaterialSecrets, nodeCredentials } from './material.ts';
import type { ClusterStore } from './store/cluster-store.ts';

export type RegistryOptions = {
  readonly store: ClusterStore;
  readonly bus: Bus;
  readonly config: () => Promise<{ decoded: ClusterConfig; stored: unknown }>;
  readonly paths: Pick<Paths, 'caCertificate' | 'caKey' | 'routerCertificate'>;
  readonly secrets: MaterialSecrets;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Lets the bus server know the users that the topology calls for. */
  readonly publishUsers: (topology: Topology) => Promise<void>;
  /** Lets the database know a node's users; shuts out those of one that left. */
  readonly database: {
    readonly allow: (user: { name: string; member: string; password: string }) => Promise<void>;
    readonly ban: (nodeIndex: number) => Promise<void>;
  };
};

/** Who belongs to the cluster: takes machines in, changes nodes, lets them go, and tells every node. */
export class Registry {
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  topology(): Promise<Topology> {
    return this.#options.store.read();
  }

  /** A new join token: 32 hexadecimal digits. */
  async makeToken({ lifeS, uses }: { lifeS: number; uses: number }): Promise<string> {
    const { store, random, clock } = this.#options;
    const secret = random.hex(16);
    const expiresAt = new Date(clock.nowMs() + lifeS * 1000);
    await store.addToken({ hash: hashOf(secret), expiresAt, uses }, new Date(clock.nowMs()));
    return secret;
  }

  async join(request: JoinRequest): Promise<NodeMaterial | ClusterRefusal> {
    const { store, clock, log } = this.#options;
    const joining = { ...request, isVersionForced: request.isVersionForced ?? false };
    const roles = ['base', ...request.roles.filter((role) => role !== 'base')];
    const { decoded } = await this.#options.config();
    const outcome = await store.admit(
      { tokenHash: hashOf(request.token), now: new Date(clock.nowMs()) },
      ({ token, topology }) => {
        const refusal =
          judgeJoin(joining, { topology, token, version: platformVersion, nowMs: clock.nowMs() }) ??
          judgeBlobs(roles, decoded.blobs);
        if (refusal !== undefined) return refusal;
        const { id, address, name } = request;
        const known = topology.nodes.find((node) => node.id === id);
        const kept = { zones: known?.zones ?? [], availabilityZone: known?.availabilityZone ?? 'default' };
        return { id, address, name, roles, ...kept, generation: (known?.generation ?? 0) + 1 };
      },
    );
    if ('refused' in outcome) {
      log.warn('refused-join', { node: request.id, address: request.address, because: outcome.refused });
      return outcome;
    }
    log.info('admitted-node', { node: request.id, address: request.address, roles });
    return this.#tell(outcome.topology, { nodeId: request.id, csr: request.csr });
  }

  /** A change of one node; without any, what it needs on its disk. */
  async change(nodeId: string, change: NodeChange): Promise<NodeMaterial | ClusterRefusal> {
    const { csr, ...facts } = change;
    const { decoded } = await this.#options.config();
    const outcome = await this.#options.store.change(nodeId, (topology) => {
      const node = topology.nodes.find(({ id }) => id === nodeId);
      if (node === undefined) return { refused: 'the cluster has no such node', next: 'attach it again' };
      const refusal =
        (facts.address === undefined ? undefined : judgeAddress({ id: nodeId, address: facts.address }, topology)) ??
        (facts.roles === undefined ? undefined : judgeRoleChange(node, facts.roles, topology)) ??
        (facts.roles === undefined || nodeId === topology.core ? undefined : judgeBlobs(facts.roles, decoded.blobs));
      const { address, ...others } = facts;
      return refusal ?? (address === node.address ? others : facts);
    });
    if ('refused' in outcome) return outcome;
    return this.#tell(outcome.topology, { nodeId, csr });
  }

  /** Lets a node go: it can speak to nobody from then on. */
  async remove(nodeId: string): Promise<Topology | ClusterRefusal> {
    const { store, clock, database, log } = this.#options;
    const judge = (topology: Topology) => judgeRemoval(nodeId, topology);
    const before = await store.read();
    const refusal = judge(before);
    if (refusal !== undefined) return refusal;
    // First, so that what was interrupted is repeated: the node is known until it has lost everything.
    const node = before.nodes.find(({ id }) => id === nodeId);
    if (node !== undefined) await database.ban(node.index);
    const outcome = await store.remove(nodeId, { now: new Date(clock.nowMs()), judge });
    if ('refused' in outcome) return outcome;
    await this.announce(outcome.topology);
    log.info('removed-node', { node: nodeId });
    return outcome.topology;
  }

  /** Gives a node new passwords at once; it must ask for them before it can speak again. */
  async renew(nodeId: string): Promise<NodeMaterial | ClusterRefusal> {
    const outcome = await this.#options.store.change(nodeId, ({ nodes }) => ({
      generation: (nodes.find(({ id }) => id === nodeId)?.generation ?? 0) + 1,
    }));
    return 'refused' in outcome ? outcome : this.#tell(outcome.topology, { nodeId, csr: undefined });
  }

  /** Lets every node's processes in to the control database, also after it was moved, restored or closed to them. */
  async admitToDatabase({ nodes, core }: Topology): Promise<void> {
    const { secrets, database } = this.#options;
    const logins = nodes.filter(({ id }) => id !== core).flatMap((node) => databaseLogins(node, secrets.nodeKey));
    for (const login of logins) await database.allow(login);
  }

  /** Makes the bus know every user, and every node read the topology. */
  async announce(topology: Topology): Promise<void> {
    await this.#options.publishUsers(topology);
    this.#options.bus.publish(subjects.topologyChanged, [], { revision: topology.revision });
  }

  async #tell(
    topology: Topology,
    { nodeId, csr }: { nodeId: string; csr: string | undefined },
  ): Promise<NodeMaterial | ClusterRefusal> {
    const { secrets, database, paths, config } = this.#options;
    const node = topology.nodes.find(({ id }) => id === nodeId);
    if (node === undefined) return { refused: 'the cluster has no such node', next: 'attach it again' };
    const logins = nodeId === topology.core ? [] : databaseLogins(node, secrets.nodeKey);
    for (const login of logins) await database.allow(login);
    await this.announce(topology);
    const { decoded, stored } = await config();
    const isRouter = node.roles.some((role) => role === 'router' || role === 'load_balancer');
    return {
      index: node.index,
      roles: node.roles,
      certificate: csr === undefined ? '' : await this.#sign(csr, node),
      ca: await readFile(paths.caCertificate, 'utf8'),
      credentials: nodeCredentials(node, secrets, { bus: decoded.bus.port, database: decoded.link.databasePort }),
      config: stored,
      topology,
      ...(isRouter ? { routerCertificate: await readFile(paths.routerCertificate, 'utf8') } : {}),
    };
  }

  #sign(csr: string, node: TopologyNode): Promise<string> {
    const { caCertificate: certificate, caKey: key } = this.#options.paths;
    return signCertificateRequest(csr, { certificate, key }, { commonName: node.id, names: certificateNames(node) });
  }
}

function judgeRoleChange(node: TopologyNode, roles: readonly string[], { core }: Topology): ClusterRefusal | undefined {
  const add = roles.filter((role) => !node.roles.includes(role)) as RoleName[];
  const remove = node.roles.filter((role) => !roles.includes(role)) as RoleName[];
  const planned = planRoleChange({ roles: node.roles, isCore: node.id === core, isMicro: false }, { add, remove });
  return 'refused' in planned ? { refused: planned.refused, next: 'kato role info' } : undefined;
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
