import type { Db } from '../../platform/db.ts';
import type { PrimarySchema } from './schema.ts';

export type SeenNode = {
  readonly id: string;
  readonly address: string;
  readonly version: string;
  readonly roles: readonly string[];
};

/** Remembers every node that was ever seen. */
export class NodeStore {
  readonly #db: Db<PrimarySchema>;

  constructor(db: Db<PrimarySchema>) {
    this.#db = db;
  }

  async saw(node: SeenNode, now: Date): Promise<void> {
    const facts = {
      address: node.address,
      version: node.version,
      roles: JSON.stringify(node.roles),
      last_seen_at: now,
    };
    await this.#db
      .insertInto('nodes')
      .values({ id: node.id, first_seen_at: now, ...facts })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(facts))
      .execute();
  }

  async list(): Promise<SeenNode[]> {
    return this.#db
      .selectFrom('nodes')
      .select(['id', 'address', 'version', 'roles'])
      .orderBy('first_seen_at')
      .execute();
  }
}
