import { presentMetadata } from '../api/metadata.ts';
import { presentResource } from '../api/timestamp.ts';
import type { UserRow } from '../store/user.ts';

/** A user as the API answers it. An OAuth client has no name: its guid stands for it. */
export function presentUser(row: UserRow, baseUrl: string) {
  return {
    ...presentResource(row),
    username: row.username,
    presentation_name: row.username ?? row.guid,
    origin: row.origin,
    ...presentMetadata(row),
    links: { self: { href: `${baseUrl}/v3/users/${row.guid}` } },
  };
}
