import type { Topology, TopologyNode } from '../../contract/topology.ts';
import { type ClusterRefusal, isRepeated, type JoinToken } from '../../core/cluster-rules.ts';
import type { Db, Tx } from '../../platform/db.ts';
import type { PrimarySchema } from './schema.ts';

/** What may change about a node of the cluster. */
export type MemberChange = Partial<
  Pick<TopologyNode, 'address' | 'name' | 'roles' | 'zones' | 'availabilityZone' | 'generation'>
>;

/** What a decision about one more node gives: the node to write, or why not. */
export type Admission = Omit<TopologyNode, 'index'> | ClusterRefusal;

/** The nodes of the cluster and the tokens by which machines join, as stored. Every change is one transaction. */
export class ClusterStore {
  readonly #db: Db<PrimarySchema>;

  constructor(db: Db<PrimarySchema>) {
    this.#db = db;
  }

  /** Writes down the Core itself, as its node file tells it; gives the topology. */
  async ensureCore(core: TopologyNode, now: Date): Promise<Topology> {
    return this.#change(async (tx, topology) => {
      const known = topology.nodes.find(({ id }) => id === core.id);
      const { id, index, address, name, roles } = core;
      if (known === undefined) {
        const row = { id, index, address, name, roles: json(roles), zones: json(core.zones), is_core: true };
        await tx
          .insertInto('members')
          .values({
            ...row,
            availability_zone: core.availabilityZone,
            generation: core.generation,
            joined_at: now,
            removed_at: null,
          })
          .execute();
        return true;
      }
      if (known.address === address && known.name === name && json(known.roles) === json(roles)) return false;
      await tx
        .updateTable('members')
        .set({ address, name, roles: json(roles) })
        .where('id', '=', id)
        .execute();
      return true;
    });
  }

  async read(): Promise<Topology> {
    return this.#db.transaction().execute((tx) => readTopology(tx));
  }

  async addToken(token: { hash: string; expiresAt: Date; uses: number }, now: Date): Promise<void> {
    await this.#db.deleteFrom('join_tokens').where('expires_at', '<', now).execute();
    await this.#db
      .insertInto('join_tokens')
      .values({ hash: token.hash, expires_at: token.expiresAt, uses_left: token.uses, used_by: '[]', created_at: now })
      .execute();
  }

  /**
   * Takes one more node in, or the same one again.
   *
   * @param decide sees the token and the nodes as they are, and gives the node or why not
   */
  async admit(
    request: { tokenHash: string; now: Date },
    decide: (seen: { token: JoinToken | undefined; topology: Topology }) => Admission,
  ): Promise<{ topology: Topology } | ClusterRefusal> {
    let refusal: ClusterRefusal | undefined;
    const topology = await this.#change(async (tx, before) => {
      const row = await tx
        .selectFrom('join_tokens')
        .selectAll()
        .where('hash', '=', request.tokenHash)
        .forUpdate()
        .executeTakeFirst();
      const token = row && { expiresAtMs: row.expires_at.getTime(), usesLeft: row.uses_left, usedBy: row.used_by };
      const node = decide({ token, topology: before });
      if ('refused' in node) {
        refusal = node;
        return false;
      }
      await this.#write(tx, node, request.now);
      if (row !== undefined && !isRepeated(node.id, { token: { usedBy: row.used_by }, topology: before })) {
        await tx
          .updateTable('join_tokens')
          .set({ uses_left: row.uses_left - 1, used_by: json([...new Set([...row.used_by, node.id])]) })
          .where('hash', '=', row.hash)
          .execute();
      }
      return true;
    });
    return refusal ?? { topology };
  }

  /** Changes one node; `decide` may refuse. */
  async change(
    nodeId: string,
    decide: (topology: Topology) => MemberChange | ClusterRefusal,
  ): Promise<{ topology: Topology } | ClusterRefusal> {
    let refusal: ClusterRefusal | undefined;
    const topology = await this.#change(async (tx, before) => {
      const change = decide(before);
      if ('refused' in change) {
        refusal = change;
        return false;
      }
      const { roles, zones, availabilityZone, ...plain } = change;
      const set = {
        ...plain,
        ...(roles === undefined ? {} : { roles: json(roles) }),
        ...(zones === undefined ? {} : { zones: json(zones) }),
        ...(availabilityZone === undefined ? {} : { availability_zone: availabilityZone }),
      };
      if (Object.keys(set).length === 0) return false;
      await tx.updateTable('members').set(set).where('id', '=', nodeId).execute();
      return true;
    });
    return refusal ?? { topology };
  }

  /** Takes a node out; its index is never given again. */
  async remove(
    nodeId: string,
    options: { now: Date; judge: (topology: Topology) => ClusterRefusal | undefined },
  ): Promise<{ topology: Topology } | ClusterRefusal> {
    let refusal: ClusterRefusal | undefined;
    const topology = await this.#change(async (tx, before) => {
      refusal = options.judge(before);
      if (refusal !== undefined) return false;
      await tx.updateTable('members').set({ removed_at: options.now }).where('id', '=', nodeId).execute();
      return true;
    });
    return refusal ?? { topology };
  }

  async #write(tx: Tx<PrimarySchema>, node: Omit<TopologyNode, 'index'>, now: Date): Promise<void> {
    const { max } = await tx
      .selectFrom('members')
      .select((eb) => eb.fn.max('index').as('max'))
      .executeTakeFirstOrThrow();
    const facts = {
      address: node.address,
      name: node.name,
      roles: json(node.roles),
      zones: json(node.zones),
      availability_zone: node.availabilityZone,
      generation: node.generation,
      removed_at: null,
    };
    await tx
      .insertInto('members')
      .values({ id: node.id, index: (max ?? 0) + 1, is_core: false, joined_at: now, ...facts })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(facts))
      .execute();
  }

  /** `act` gives true when it changed something; then the revision grows. One change at a time. */
  async #change(act: (tx: Tx<PrimarySchema>, before: Topology) => Promise<boolean>): Promise<Topology> {
    return this.#db.transaction().execute(async (tx) => {
      await tx.selectFrom('topology').select('revision').forUpdate().executeTakeFirstOrThrow();
      if (await act(tx, await readTopology(tx))) {
        await tx
          .updateTable('topology')
          .set((eb) => ({ revision: eb('revision', '+', 1) }))
          .execute();
      }
      return readTopology(tx);
    });
  }
}

async function readTopology(tx: Tx<PrimarySchema>): Promise<Topology> {
  const { revision } = await tx.selectFrom('topology').select('revision').executeTakeFirstOrThrow();
  const rows = await tx.selectFrom('members').selectAll().where('removed_at', 'is', null).orderBy('index').execute();
  return {
    revision,
    core: rows.find(({ is_core }) => is_core)?.id ?? '',
    nodes: rows.map(({ id, index, address, name, roles, zones, availability_zone, generation }) => ({
      ...{ id, index, address, name, roles, zones },
      ...{ availabilityZone: availability_zone, generation },
    })),
  };
}

const json = (value: unknown) => JSON.stringify(value);
