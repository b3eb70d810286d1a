import { type Expression, type SqlBool, sql } from 'kysely';
import { type Action, isAllowedEverywhere, rolesAllowing, type Standing } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { ControllerSchema } from './schema.ts';
import type { Scope } from './scope.ts';

/** What is known of a caller at an organization or space. */
export async function findStanding(db: Db<ControllerSchema>, caller: Caller, scope: Scope): Promise<Standing> {
  const spaces = [...(scope.spaceGuid ? [scope.spaceGuid] : []), ...(scope.sharedSpaceGuids ?? [])];
  const rows = await db
    .selectFrom('roles')
    .innerJoin('organizations', 'organizations.guid', 'roles.organization_guid')
    .select(['roles.type', 'organizations.suspended'])
    .where('roles.user_guid', '=', caller.userGuid)
    .where((eb) =>
      eb.or([
        eb.and([
          eb('roles.organization_guid', '=', scope.organizationGuid ?? ''),
          ...(scope.spaceGuid ? [eb('roles.space_guid', 'is', null)] : []),
        ]),
        ...(spaces.length > 0 ? [eb('roles.space_guid', 'in', spaces)] : []),
      ]),
    )
    .execute();
  return { powers: caller.powers, roles: rows.map((row) => row.type), isSuspended: rows.some((row) => row.suspended) };
}

/**
 * A condition for lists: the space in this column is one where the caller may do the action.
 * Undefined when there is nothing to filter.
 */
export function inPermittedSpaces(caller: Caller, action: Action, column: string): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere(action, caller.powers)) return undefined;
  const roles = rolesAllowing(action);
  return sql<SqlBool>`${sql.ref(column)} in (
    select r.space_guid from roles r
      where r.user_guid = ${caller.userGuid} and r.space_guid is not null and r.type = any(${[...roles]})
    union all
    select s.guid from spaces s join roles r on r.organization_guid = s.organization_guid
      where r.user_guid = ${caller.userGuid} and r.space_guid is null and r.type = any(${[...roles]}))`;
}

/** A condition for lists: the organization in this column is one where the caller may do the action, also by a space's role. */
export function inPermittedOrganizations(
  caller: Caller,
  action: Action,
  column: string,
): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere(action, caller.powers)) return undefined;
  return sql<SqlBool>`${sql.ref(column)} in (
    select r.organization_guid from roles r
      where r.user_guid = ${caller.userGuid} and r.type = any(${[...rolesAllowing(action)]}))`;
}
