import { toMany } from '../api/relationship.ts';
import { presentResource } from '../api/timestamp.ts';
import type { SecurityGroupRow } from '../store/security-group.ts';

/** A security group as the API answers it. */
export function presentSecurityGroup(row: SecurityGroupRow, baseUrl: string) {
  return {
    ...presentResource(row),
    name: row.name,
    globally_enabled: { running: row.running_default, staging: row.staging_default },
    rules: row.rules,
    relationships: { running_spaces: toMany(row.running_spaces), staging_spaces: toMany(row.staging_spaces) },
    links: { self: { href: `${baseUrl}/v3/security_groups/${row.guid}` } },
  };
}
