import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

export type User = {
  readonly id: string;
  readonly userName: string;
  readonly origin: string;
  readonly email: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly passwordHash: string | null;
  readonly isActive: boolean;
  /** Counts the times that all tokens of the user were revoked. */
  readonly tokenGeneration: number;
  readonly groups: readonly string[];
  readonly lastLoginAtMs: number | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

export type NewUser = Pick<User, 'id' | 'userName' | 'origin' | 'email' | 'givenName' | 'familyName'> & {
  readonly passwordHash: string | null;
  readonly groups: readonly string[];
};

/** One comparison of a user search; all are exact. */
export type UserCondition = { readonly field: 'id' | 'userName' | 'origin' | 'email'; readonly value: string };
/** Any of the groups of conditions that must hold together; empty = everyone. */
export type UserSearch = readonly (readonly UserCondition[])[];

type Row = Selectable<AokSchema['users']> & { groups: string[] };
type Handle = Db<AokSchema> | Tx<AokSchema>;

/** User names are compared without regard to case. */
export const nameKey = (userName: string) => userName.normalize('NFKC').toLowerCase();

export async function findUser(db: Handle, search: UserSearch): Promise<User | undefined> {
  const [user] = await listUsers(db, search, { offset: 0, limit: 1 });
  return user;
}

export async function listUsers(
  db: Handle,
  search: UserSearch,
  page: { offset: number; limit: number },
): Promise<User[]> {
  const rows = await db
    .selectFrom('users')
    .selectAll()
    .select(
      sql<string[]>`coalesce((select array_agg(g.display_name order by g.display_name) from memberships m
        join groups g on g.id = m.group_id where m.user_id = users.id), '{}')`.as('groups'),
    )
    .where((eb) => where(eb, search))
    .orderBy('name_key')
    .orderBy('id')
    .offset(page.offset)
    .limit(page.limit)
    .execute();
  return rows.map(toUser);
}

export async function countUsers(db: Handle, search: UserSearch): Promise<number> {
  const row = await db
    .selectFrom('users')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => where(eb, search))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** @returns false when the name is taken within its origin */
export async function insertUser(tx: Tx<AokSchema>, user: NewUser): Promise<boolean> {
  const inserted = await tx
    .insertInto('users')
    .values({
      id: user.id,
      user_name: user.userName,
      name_key: nameKey(user.userName),
      origin: user.origin,
      email: user.email,
      given_name: user.givenName,
      family_name: user.familyName,
      password_hash: user.passwordHash,
      last_login_at: null,
    })
    .onConflict((conflict) => conflict.columns(['name_key', 'origin']).doNothing())
    .returning('id')
    .execute();
  if (inserted.length === 0) return false;
  for (const name of user.groups) await joinGroup(tx, user.id, name);
  return true;
}

/** Makes the group when it does not exist; its id is its name. */
async function joinGroup(tx: Tx<AokSchema>, userId: string, name: string): Promise<void> {
  await tx
    .insertInto('groups')
    .values({ id: name, display_name: name })
    .onConflict((conflict) => conflict.column('display_name').doNothing())
    .execute();
  await sql`insert into memberships (group_id, user_id) select id, ${userId} from groups where display_name = ${name}
    on conflict do nothing`.execute(tx);
}

export async function setPasswordHash(tx: Tx<AokSchema>, userId: string, passwordHash: string): Promise<void> {
  await tx
    .updateTable('users')
    .set({ password_hash: passwordHash, updated_at: sql<Date>`now()` })
    .where('id', '=', userId)
    .execute();
}

export async function deleteUser(db: Handle, userId: string): Promise<void> {
  await db.deleteFrom('users').where('id', '=', userId).execute();
}

export async function noteLogin(db: Handle, userId: string, atMs: number): Promise<void> {
  await db
    .updateTable('users')
    .set({ last_login_at: new Date(atMs) })
    .where('id', '=', userId)
    .execute();
}

/** Someone in the group, if anyone is. Callers that act on "nobody" hold `lockGroup`. */
export async function hasMembers(db: Handle, group: string): Promise<boolean> {
  const row = await db
    .selectFrom('memberships')
    .innerJoin('groups', 'groups.id', 'memberships.group_id')
    .select('memberships.user_id')
    .where('groups.display_name', '=', group)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function lockGroup(tx: Tx<AokSchema>, group: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`aok group ${group}`}))`.execute(tx);
}

function where(eb: ExpressionBuilder<AokSchema, 'users'>, search: UserSearch) {
  if (search.length === 0) return eb.val(true);
  return eb.or(
    search.map((all) =>
      eb.and(
        all.map(({ field, value }) => {
          if (field === 'userName') return eb('name_key', '=', nameKey(value));
          if (field === 'email') return eb(eb.fn('lower', ['email']), '=', value.toLowerCase());
          return eb(field, '=', value);
        }),
      ),
    ),
  );
}

function toUser(row: Row): User {
  return {
    id: row.id,
    userName: row.user_name,
    origin: row.origin,
    email: row.email,
    givenName: row.given_name,
    familyName: row.family_name,
    passwordHash: row.password_hash,
    isActive: row.active,
    tokenGeneration: row.token_generation,
    groups: row.groups,
    lastLoginAtMs: row.last_login_at?.getTime(),
    createdAtMs: row.created_at.getTime(),
    updatedAtMs: row.updated_at.getTime(),
  };
}
