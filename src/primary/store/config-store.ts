import type { Db } from '../../platform/db.ts';
import type { PrimarySchema } from './schema.ts';

/** The cluster configuration as stored: only what differs from nothing; defaults are filled in when it is decoded. */
export type StoredConfig = { readonly revision: number; readonly config: unknown };

/** Keeps the one row of the cluster configuration. */
export class ConfigStore {
  readonly #db: Db<PrimarySchema>;

  constructor(db: Db<PrimarySchema>) {
    this.#db = db;
  }

  /** Takes `initial` as revision 1 unless there is a configuration already. */
  async initialise(initial: unknown): Promise<void> {
    await this.#db
      .insertInto('cluster_config')
      .values({ id: 1, revision: 1, config: JSON.stringify(initial) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async read(): Promise<StoredConfig> {
    return this.#db.selectFrom('cluster_config').select(['revision', 'config']).executeTakeFirstOrThrow();
  }

  /** Changes it in one transaction; `change` gives the new value, or undefined for no change. Gives the revision. */
  async update(change: (config: unknown) => unknown, now: Date): Promise<number> {
    return this.#db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('cluster_config')
        .select(['revision', 'config'])
        .forUpdate()
        .executeTakeFirstOrThrow();
      const config = change(row.config);
      if (config === undefined) return row.revision;
      const revision = row.revision + 1;
      await tx
        .updateTable('cluster_config')
        .set({ revision, config: JSON.stringify(config), updated_at: now })
        .execute();
      return revision;
    });
  }
}
