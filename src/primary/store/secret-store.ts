import type { Db } from '../../platform/db.ts';
import type { SecretBox } from '../../platform/secret-box.ts';
import type { PrimarySchema } from './schema.ts';

/** Secret settings, encrypted at rest. */
export class SecretStore {
  readonly #db: Db<PrimarySchema>;
  readonly #box: SecretBox;

  constructor(db: Db<PrimarySchema>, box: SecretBox) {
    this.#db = db;
    this.#box = box;
  }

  async read(name: string): Promise<string | undefined> {
    const row = await this.#db.selectFrom('secrets').select('sealed').where('name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : this.#box.open(row.sealed);
  }

  /** Without a value it is forgotten. */
  async write(name: string, value: string | undefined, now: Date): Promise<void> {
    if (value === undefined) {
      await this.#db.deleteFrom('secrets').where('name', '=', name).execute();
      return;
    }
    const row = { sealed: this.#box.seal(value), updated_at: now };
    await this.#db
      .insertInto('secrets')
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute();
  }

  /** Names of those that are set. */
  async names(): Promise<string[]> {
    const rows = await this.#db.selectFrom('secrets').select('name').orderBy('name').execute();
    return rows.map(({ name }) => name);
  }
}
