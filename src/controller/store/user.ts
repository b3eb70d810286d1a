import { type Selectable, type SqlBool, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema, UserTable } from './schema.ts';

export type UserRow = Selectable<UserTable>;

/** Inserts a user, or brings the name and origin of a known one up to date. */
export async function saveUser(
  db: Db<ControllerSchema>,
  user: { guid: string; username: string | null; origin: string | null },
): Promise<void> {
  await db
    .insertInto('users')
    .values(user)
    .onConflict((conflict) =>
      conflict
        .column('guid')
        .doUpdateSet({ username: user.username, origin: user.origin })
        .where(sql<SqlBool>`(users.username, users.origin) is distinct from (excluded.username, excluded.origin)`),
    )
    .execute();
}
