import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

/** Apps that have routes, by guid, from the one after this on. */
export async function listRoutedApps(
  db: Db<ControllerSchema>,
  { after, limit }: { after: string; limit: number },
): Promise<string[]> {
  const rows = await db
    .selectFrom('destinations')
    .select('app_guid')
    .distinct()
    .where('app_guid', '>', after)
    .orderBy('app_guid')
    .limit(limit)
    .execute();
  return rows.map(({ app_guid }) => app_guid);
}

/** Hosts among these that have routes on a domain. */
export async function listTakenHosts(
  db: Db<ControllerSchema>,
  domain: string,
  hosts: readonly string[],
): Promise<string[]> {
  const rows = await db
    .selectFrom('routes')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .select('routes.host')
    .distinct()
    .where('domains.name', '=', domain)
    .where('routes.host', 'in', [...hosts])
    .orderBy('routes.host')
    .execute();
  return rows.map(({ host }) => host);
}
