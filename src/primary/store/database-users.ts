import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { PrimarySchema } from './schema.ts';

const NAME = /^[a-z_]+(-n\d+)?$/;

/** Lets a process of another node use the control database with a password of its own, as the member of a role that owns tables. */
export async function allowDatabaseUser(
  db: Db<PrimarySchema>,
  user: { name: string; member: string; password: string },
): Promise<void> {
  if (!NAME.test(user.name) || !NAME.test(user.member) || !/^[0-9a-f]{16,}$/.test(user.password)) {
    throw new Error(`'${user.name}' is no user for the control database`);
  }
  const { rows } = await sql`select 1 from pg_roles where rolname = ${user.name}`.execute(db);
  if (rows.length === 0) await sql`create role ${sql.id(user.name)} in role ${sql.id(user.member)}`.execute(db);
  await sql`alter role ${sql.id(user.name)} login password ${sql.lit(user.password)}`.execute(db);
  // Tables that it makes belong to the role that owns the schema.
  await sql`alter role ${sql.id(user.name)} set role = ${sql.lit(user.member)}`.execute(db);
}

/** Shuts the users of one node out, and ends what they have open. */
export async function banDatabaseUsers(db: Db<PrimarySchema>, nodeIndex: number): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select rolname as name from pg_roles where rolname like ${`%-n${nodeIndex}`}`.execute(db);
  for (const { name } of rows) {
    await sql`alter role ${sql.id(name)} nologin password null`.execute(db);
    await db.transaction().execute(async (own) => {
      // Only a member may end what a role has open.
      await sql`grant ${sql.id(name)} to current_user`.execute(own);
      await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = ${name}`.execute(own);
      await sql`revoke ${sql.id(name)} from current_user`.execute(own);
    });
  }
}
