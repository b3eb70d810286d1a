import { toOne } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { RoleRow } from '../store/role.ts';

/** A role as the API answers it: it belongs to an organization or to a space. */
export function presentRole(row: RoleRow, baseUrl: string) {
  const at = (collection: string, guid: string) => ({ href: `${baseUrl}/v3/${collection}/${guid}` });
  return {
    ...presentResource(row),
    type: row.type,
    relationships: {
      user: toOne(row.user_guid),
      organization: toOne(row.space_guid === null ? row.organization_guid : null),
      space: toOne(row.space_guid),
    },
    links: {
      self: at('roles', row.guid),
      user: at('users', row.user_guid),
      ...(row.space_guid === null
        ? { organization: at('organizations', row.organization_guid) }
        : { space: at('spaces', row.space_guid) }),
    },
  };
}
