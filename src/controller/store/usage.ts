import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

/** What apps use; MB. Only started apps count. */
export type Usage = {
  readonly started_instances: number;
  readonly memory_in_mb: number;
  readonly routes: number;
  readonly service_instances: number;
  readonly reserved_ports: number;
  readonly domains: number;
  readonly per_app_tasks: number;
  readonly service_keys: number;
};

type Database = Db<ControllerSchema>;

export function usageOfSpace(db: Database, spaceGuid: string): Promise<Usage> {
  return usage(db, sql`s.guid = ${spaceGuid}`, sql`false`);
}

export function usageOfOrganization(db: Database, organizationGuid: string): Promise<Usage> {
  return usage(db, sql`s.organization_guid = ${organizationGuid}`, sql`d.organization_guid = ${organizationGuid}`);
}

export function usageOfPlatform(db: Database): Promise<Usage> {
  return usage(db, sql`true`, sql`true`);
}

async function usage(db: Database, ofSpace: ReturnType<typeof sql>, ofDomain: ReturnType<typeof sql>): Promise<Usage> {
  const { rows } = await sql<Usage>`
    select coalesce(sum(p.instances), 0)::int as started_instances,
      coalesce(sum(p.instances * p.memory_in_mb), 0)::bigint as memory_in_mb,
      (select count(*) from routes r join spaces s on s.guid = r.space_guid where ${ofSpace})::int as routes,
      0 as service_instances,
      (select count(*) from routes r join spaces s on s.guid = r.space_guid
        where r.port is not null and ${ofSpace})::int as reserved_ports,
      (select count(*) from domains d where ${ofDomain})::int as domains,
      0 as per_app_tasks, 0 as service_keys
    from spaces s join apps a on a.space_guid = s.guid and a.state = 'STARTED' join processes p on p.app_guid = a.guid
    where ${ofSpace}`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('the usage query gave no row');
  return row;
}
