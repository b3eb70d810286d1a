import type { LoginFailures } from '../../core/lockout.ts';
import type { Db } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

export async function findFailures(db: Db<AokSchema>, nameKey: string): Promise<LoginFailures | undefined> {
  const row = await db.selectFrom('login_failures').selectAll().where('name_key', '=', nameKey).executeTakeFirst();
  return row && { count: row.failures, lastAtMs: row.last_failed_at.getTime() };
}

/** Changes what is remembered of a name; several processes may do so at once. */
export async function changeFailures(
  db: Db<AokSchema>,
  nameKey: string,
  change: (failures: LoginFailures | undefined) => LoginFailures,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('login_failures')
      .selectAll()
      .where('name_key', '=', nameKey)
      .forUpdate()
      .executeTakeFirst();
    const next = change(row && { count: row.failures, lastAtMs: row.last_failed_at.getTime() });
    const values = { failures: next.count, last_failed_at: new Date(next.lastAtMs) };
    await tx
      .insertInto('login_failures')
      .values({ name_key: nameKey, ...values })
      .onConflict((conflict) => conflict.column('name_key').doUpdateSet(values))
      .execute();
  });
}

export async function forgetFailures(db: Db<AokSchema>, nameKey: string): Promise<void> {
  await db.deleteFrom('login_failures').where('name_key', '=', nameKey).execute();
}
