import type { Selectable } from 'kysely';
import type { RoleType } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema, RoleTable } from './schema.ts';

export type RoleRow = Selectable<RoleTable>;

/** Gives a user a role; undefined when the user has it already. */
export function insertRole(
  tx: Db<ControllerSchema>,
  role: { guid: string; type: RoleType; userGuid: string; organizationGuid: string; spaceGuid?: string },
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
