import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere, type RoleType } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedOrganizations, inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema, RoleTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type RoleRow = Selectable<RoleTable>;

export type RoleFilter = 'types' | 'space_guids' | 'organization_guids' | 'user_guids';

export function listRoles(db: Database, caller: Caller, query: Query<RoleFilter>): Promise<Page<RoleRow>> {
  const organizations = query.values('organization_guids');
  return fetchPage(db.selectFrom('roles').selectAll('roles'), query, {
    table: 'roles',
    conditions: [
      visibleRoles(caller),
      among('roles.type', query.values('types')),
      among('roles.space_guid', query.values('space_guids')),
      among('roles.user_guid', query.values('user_guids')),
      // A space role belongs to its space; filters by organization mean the organization's own roles.
      organizations && sql<SqlBool>`roles.organization_guid = any(${organizations}) and roles.space_guid is null`,
    ],
  });
}

/** The role, when the caller may see it. */
export function findRole(db: Database, caller: Caller, guid: string): Promise<RoleRow | undefined> {
  const condition = visibleRoles(caller);
  const found = db.selectFrom('roles').selectAll('roles').where('roles.guid', '=', guid);
  return (condition ? found.where(condition) : found).executeTakeFirst();
}

/** Gives a user a role; undefined when the user has it already. */
export function insertRole(
  tx: Database,
  role: { guid: string; type: RoleType; userGuid: string; organizationGuid: string; spaceGuid?: string | undefined },
): Promise<RoleRow | undefined> {
  return tx
    .insertInto('roles')
    .values({
      guid: role.guid,
      type: role.type,
      user_guid: role.userGuid,
      organization_guid: role.organizationGuid,
      space_guid: role.spaceGuid ?? null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

export async function deleteRole(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('roles').where('guid', '=', guid).execute();
}

/** Has the user any role of the organization itself? */
export async function hasOrganizationRole(db: Database, userGuid: string, organizationGuid: string): Promise<boolean> {
  return (await rolesIn(db, userGuid, organizationGuid)).some((role) => role.space_guid === null);
}

/** Has the user any role in a space of the organization? */
export async function hasSpaceRole(db: Database, userGuid: string, organizationGuid: string): Promise<boolean> {
  return (await rolesIn(db, userGuid, organizationGuid)).some((role) => role.space_guid !== null);
}

function rolesIn(db: Database, userGuid: string, organizationGuid: string): Promise<{ space_guid: string | null }[]> {
  return db
    .selectFrom('roles')
    .select('space_guid')
    .where('user_guid', '=', userGuid)
    .where('organization_guid', '=', organizationGuid)
    .execute();
}

/** One's own roles, those of organizations one is in, and those of spaces one may look into. */
function visibleRoles(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('organization.read', caller.powers)) return undefined;
  const inOrganization = inPermittedOrganizations(caller, 'organization.read', 'roles.organization_guid');
  const inSpace = inPermittedSpaces(caller, 'space.read', 'roles.space_guid');
  return sql<SqlBool>`(roles.user_guid = ${caller.userGuid}
    or (roles.space_guid is null and ${inOrganization}) or (roles.space_guid is not null and ${inSpace}))`;
}
