import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { among, amongNames, fetchPage, type Page } from './page.ts';
import type { ControllerSchema, UserTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type UserRow = Selectable<UserTable>;

export type UserFilter = 'usernames' | 'partial_usernames' | 'origins';

/** Users the caller may see; `among` narrows them further. */
export function listUsers(
  db: Database,
  caller: Caller,
  options: { query: Query<UserFilter>; within?: Expression<SqlBool> },
): Promise<Page<UserRow>> {
  const { query } = options;
  const partial = query.values('partial_usernames');
  return fetchPage(db.selectFrom('users').selectAll('users'), query, {
    table: 'users',
    conditions: [
      visibleUsers(caller),
      options.within,
      amongNames('users.username', query.values('usernames')),
      among('users.origin', query.values('origins')),
      partial && sql<SqlBool>`lower(users.username) like any(${partial.map((part) => `%${escapeLike(part)}%`)})`,
    ],
  });
}

/** Users with a role in this organization, or with `space` in this space. */
export function usersWithRole(where: { organizationGuid: string } | { spaceGuid: string }): Expression<SqlBool> {
  const condition =
    'spaceGuid' in where
      ? sql`r.space_guid = ${where.spaceGuid}`
      : sql`r.organization_guid = ${where.organizationGuid}`;
  return sql<SqlBool>`users.guid in (select r.user_guid from roles r where ${condition})`;
}

export function findVisibleUser(db: Database, caller: Caller, guid: string): Promise<UserRow | undefined> {
  const condition = visibleUsers(caller);
  const found = db.selectFrom('users').selectAll('users').where('users.guid', '=', guid);
  return (condition ? found.where(condition) : found).executeTakeFirst();
}

export function findUsers(db: Database, guids: readonly string[]): Promise<UserRow[]> {
  if (guids.length === 0) return Promise.resolve([]);
  return db
    .selectFrom('users')
    .selectAll()
    .where('guid', 'in', [...guids])
    .execute();
}

export function findUsersByName(db: Database, username: string): Promise<UserRow[]> {
  return db.selectFrom('users').selectAll().where(sql`lower(username)`, '=', username.toLowerCase()).execute();
}

/** Adds a user; undefined when there is one with that guid. */
export function insertUser(
  tx: Database,
  user: { guid: string; username: string | null; origin: string | null; labels?: string; annotations?: string },
): Promise<UserRow | undefined> {
  return tx
    .insertInto('users')
    .values(user)
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

export function updateUser(
  tx: Database,
  guid: string,
  change: { labels?: string; annotations?: string },
): Promise<UserRow> {
  return tx
    .updateTable('users')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Removes a user and all roles of theirs. */
export async function deleteUser(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('users').where('guid', '=', guid).execute();
}

/** Inserts a user, or brings the name and origin of a known one up to date. */
export async function saveUser(
  db: Database,
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

/** Oneself, and whoever has a role in an organization where one has a role. */
function visibleUsers(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('organization.read', caller.powers)) return undefined;
  return sql<SqlBool>`(users.guid = ${caller.userGuid} or users.guid in (
    select theirs.user_guid from roles theirs join roles mine on mine.organization_guid = theirs.organization_guid
      where mine.user_guid = ${caller.userGuid}))`;
}

function escapeLike(text: string): string {
  return text.toLowerCase().replace(/[\\%_]/g, '\\$&');
}
