import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema, SecurityGroupTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type Lifecycle = 'running' | 'staging';
/** A group with the spaces it is bound to that the caller may see. */
export type SecurityGroupRow = Selectable<SecurityGroupTable> & {
  readonly running_spaces: readonly string[];
  readonly staging_spaces: readonly string[];
};

export type SecurityGroupFilter =
  | 'names'
  | 'globally_enabled_running'
  | 'globally_enabled_staging'
  | 'running_space_guids'
  | 'staging_space_guids';

export type SecurityGroupChange = {
  readonly name?: string;
  readonly rules?: string;
  readonly running_default?: boolean;
  readonly staging_default?: boolean;
};

/** Groups the caller may see: those for everyone, and those of spaces they may look into. */
export function listSecurityGroups(
  db: Database,
  caller: Caller,
  query: Query<SecurityGroupFilter>,
): Promise<Page<SecurityGroupRow>> {
  return fetchPage(select(db, caller), query, {
    table: 'security_groups',
    conditions: [
      visibleGroups(caller),
      amongNames('security_groups.name', query.values('names')),
      isDefault('running_default', query.values('globally_enabled_running')),
      isDefault('staging_default', query.values('globally_enabled_staging')),
      boundTo('running', query.values('running_space_guids')),
      boundTo('staging', query.values('staging_space_guids')),
    ],
  });
}

/** Groups in force in a space, whether for everyone or bound to it. */
export function listGroupsOfSpace(
  db: Database,
  caller: Caller,
  options: { query: Query<'names'>; spaceGuid: string; lifecycle: Lifecycle },
): Promise<Page<SecurityGroupRow>> {
  const { query, spaceGuid, lifecycle } = options;
  const column = sql.ref(`security_groups.${lifecycle}_default`);
  return fetchPage(select(db, caller), query, {
    table: 'security_groups',
    conditions: [
      sql<SqlBool>`(${column} or ${boundTo(lifecycle, [spaceGuid]) ?? sql`false`})`,
      amongNames('security_groups.name', query.values('names')),
    ],
  });
}

export function findSecurityGroup(db: Database, caller: Caller, guid: string): Promise<SecurityGroupRow | undefined> {
  const condition = visibleGroups(caller);
  const found = select(db, caller).where('security_groups.guid', '=', guid);
  return (condition ? found.where(condition) : found).executeTakeFirst();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export async function insertSecurityGroup(
  tx: Database,
  group: SecurityGroupChange & { guid: string; name: string },
): Promise<void> {
  await explainConflict(nameTaken(group.name), () => tx.insertInto('security_groups').values(group).execute());
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export async function updateSecurityGroup(tx: Database, guid: string, change: SecurityGroupChange): Promise<void> {
  await explainConflict(nameTaken(change.name ?? ''), () =>
    tx
      .updateTable('security_groups')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute(),
  );
}

export async function deleteSecurityGroup(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('security_groups').where('guid', '=', guid).execute();
}

export async function bindSecurityGroup(
  tx: Database,
  guid: string,
  binding: { lifecycle: Lifecycle; spaceGuids: readonly string[] },
): Promise<void> {
  if (binding.spaceGuids.length === 0) return;
  const { lifecycle } = binding;
  await tx
    .insertInto('security_group_spaces')
    .values(binding.spaceGuids.map((space_guid) => ({ security_group_guid: guid, space_guid, lifecycle })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Is false when the group was not bound there. */
export async function unbindSecurityGroup(
  tx: Database,
  guid: string,
  binding: { lifecycle: Lifecycle; spaceGuid: string },
): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('security_group_spaces')
    .where('security_group_guid', '=', guid)
    .where('space_guid', '=', binding.spaceGuid)
    .where('lifecycle', '=', binding.lifecycle)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

function select(db: Database, caller: Caller) {
  const seen = inPermittedSpaces(caller, 'space.read', 'b.space_guid') ?? sql`true`;
  const spaces = (lifecycle: Lifecycle) =>
    sql<string[]>`array(select b.space_guid from security_group_spaces b where b.security_group_guid =
      security_groups.guid and b.lifecycle = ${lifecycle} and ${seen} order by b.space_guid limit 5000)`;
  return db
    .selectFrom('security_groups')
    .selectAll('security_groups')
    .select([spaces('running').as('running_spaces'), spaces('staging').as('staging_spaces')]);
}

function visibleGroups(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('space.read', caller.powers)) return undefined;
  const seen = inPermittedSpaces(caller, 'space.read', 'b.space_guid');
  return sql<SqlBool>`(security_groups.running_default or security_groups.staging_default or exists (
    select 1 from security_group_spaces b where b.security_group_guid = security_groups.guid and ${seen}))`;
}

function isDefault(column: string, values: readonly string[] | undefined): Expression<SqlBool> | undefined {
  return values && sql<SqlBool>`${sql.ref(`security_groups.${column}`)} = ${values[0] === 'true'}`;
}

function boundTo(lifecycle: Lifecycle, spaces: readonly string[] | undefined): Expression<SqlBool> | undefined {
  return (
    spaces &&
    sql<SqlBool>`security_groups.guid in (select x.security_group_guid from security_group_spaces x
      where x.lifecycle = ${lifecycle} and x.space_guid = any(${spaces}))`
  );
}

function nameTaken(name: string): Record<string, string> {
  return { security_groups_name: `Security group with name '${name}' already exists.` };
}
