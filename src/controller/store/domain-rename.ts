import { sql } from 'kysely';
import type { DomainFacts } from '../../core/cluster-domain.ts';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;

/** What is known of a domain that is to be the platform's instead of another. `keeps`: routes stay where they are. */
export async function readDomainFacts(
  tx: Database,
  { from, to, keeps }: { from: string; to: string; keeps: boolean },
): Promise<DomainFacts> {
  const known = await findShared(tx, to);
  const parents = to
    .split('.')
    .slice(1)
    .map((_, at, rest) => rest.slice(at).join('.'));
  const { rows: domains } = await sql<{ name: string; is_owned: boolean }>`
    select lower(name) as name, organization_guid is not null as is_owned from domains
    where lower(name) = any(${parents}) or lower(name) like ${`%.${to}`}`.execute(tx);
  const old = keeps ? undefined : await findShared(tx, from);
  return {
    to,
    known: known && { isShared: known.organization_guid === null, hosts: await hostsOf(tx, known.guid) },
    owned: domains.filter(({ name, is_owned }) => is_owned && parents.includes(name)).map(({ name }) => name),
    below: domains.filter(({ name }) => !parents.includes(name)).map(({ name }) => name),
    hosts: old === undefined ? [] : await hostsOf(tx, old.guid),
  };
}

/**
 * Gives the platform's domain another name. Routes go along, or stay on the old name (`keeps`), as do those whose address
 * on the new one is taken. Repeating it changes nothing.
 *
 * @returns addresses that stayed because theirs was taken
 */
export async function renameDomain(
  tx: Database,
  { from, to, keeps, guid }: { from: string; to: string; keeps: boolean; guid: string },
): Promise<string[]> {
  const old = await findShared(tx, from);
  if (old === undefined || from === to) return [];
  const known = await findShared(tx, to);
  const { rows: taken } = await sql<{ guid: string; host: string; path: string }>`
    select r.guid, r.host, r.path from routes r join routes k on k.host = r.host and k.path = r.path
      and k.port is not distinct from r.port
    where r.domain_guid = ${old.guid} and k.domain_guid = ${known?.guid ?? ''}`.execute(tx);
  if (known !== undefined) await setName(tx, known.guid, `${known.guid}.invalid`);
  await setName(tx, old.guid, to);
  if (keeps || taken.length > 0) {
    await tx.insertInto('domains').values({ guid, name: from }).execute();
    const staying = keeps ? sql`true` : sql`guid = any(${taken.map((route) => route.guid)})`;
    await sql`update routes set domain_guid = ${guid}, updated_at = now()
      where domain_guid = ${old.guid} and ${staying}`.execute(tx);
  }
  if (known !== undefined) {
    await sql`update routes set domain_guid = ${old.guid}, updated_at = now()
      where domain_guid = ${known.guid}`.execute(tx);
    await tx.deleteFrom('domain_shares').where('domain_guid', '=', known.guid).execute();
    await tx.deleteFrom('domains').where('guid', '=', known.guid).execute();
  }
  return keeps ? [] : taken.map(({ host, path }) => `${host}.${from}${path}`);
}

/** Apps with routes on these domains. */
export async function listAppsOn(db: Database, names: readonly string[]): Promise<string[]> {
  const rows = await db
    .selectFrom('destinations')
    .innerJoin('routes', 'routes.guid', 'destinations.route_guid')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .select('destinations.app_guid')
    .distinct()
    .where('domains.name', 'in', [...names])
    .execute();
  return rows.map(({ app_guid }) => app_guid);
}

function findShared(tx: Database, name: string) {
  return tx
    .selectFrom('domains')
    .select(['guid', 'organization_guid'])
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
}

async function hostsOf(tx: Database, domainGuid: string): Promise<string[]> {
  const rows = await tx.selectFrom('routes').select('host').distinct().where('domain_guid', '=', domainGuid).execute();
  return rows.map(({ host }) => host);
}

async function setName(tx: Database, guid: string, name: string): Promise<void> {
  await tx.updateTable('domains').set({ name, updated_at: sql<Date>`now()` }).where('guid', '=', guid).execute();
}
