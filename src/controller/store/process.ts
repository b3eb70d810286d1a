import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { DesiredProcess } from '../../core/app-change.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { AppState, ProcessTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type ProcessRow = Selectable<ProcessTable>;
/** A process with what its app decides for it. */
export type StatedProcess = ProcessRow & { app_state: AppState; app_name: string };
export type ProcessFilter = 'types' | 'app_guids' | 'space_guids' | 'organization_guids' | 'embed';

const stated = (db: Database) =>
  db
    .selectFrom('processes')
    .innerJoin('apps', 'apps.guid', 'processes.app_guid')
    .selectAll('processes')
    .select(['apps.state as app_state', 'apps.name as app_name']);

export function listProcesses(
  db: Database,
  caller: Caller,
  options: { query: Query<ProcessFilter>; appGuid?: string },
): Promise<Page<StatedProcess>> {
  const { query, appGuid } = options;
  const organizations = query.values('organization_guids');
  return fetchPage(stated(db), query, {
    table: 'processes',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      among('processes.type', query.values('types')),
      among('processes.app_guid', appGuid === undefined ? query.values('app_guids') : [appGuid]),
      among('apps.space_guid', query.values('space_guids')),
      organizations &&
        sql<boolean>`apps.space_guid in (select guid from spaces where organization_guid = any(${organizations}))`,
    ],
  });
}

/** @throws PlatformError 404 */
export async function getProcess(db: Database, guid: string): Promise<StatedProcess> {
  return found(await stated(db).where('processes.guid', '=', guid).executeTakeFirst());
}

export function findProcess(db: Database, guid: string): Promise<StatedProcess | undefined> {
  return stated(db).where('processes.guid', '=', guid).executeTakeFirst();
}

/** The newest process of a type, which is the one that stays when a deployment ends. */
export async function getProcessOfType(db: Database, appGuid: string, type: string): Promise<StatedProcess> {
  return found(
    await stated(db)
      .where('processes.app_guid', '=', appGuid)
      .where('processes.type', '=', type)
      .orderBy('processes.id', 'desc')
      .executeTakeFirst(),
  );
}

export function listProcessesOf(db: Database, appGuid: string): Promise<ProcessRow[]> {
  return db.selectFrom('processes').selectAll().where('app_guid', '=', appGuid).orderBy('id').execute();
}

export function insertProcess(tx: Database, process: Insertable<ProcessTable>): Promise<ProcessRow> {
  return tx.insertInto('processes').values(process).returningAll().executeTakeFirstOrThrow();
}

/** Columns of a process that change. */
export type ProcessUpdate = Updateable<ProcessTable>;

export async function updateProcess(tx: Database, guid: string, change: ProcessUpdate): Promise<void> {
  await tx
    .updateTable('processes')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

export async function deleteProcess(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('processes').where('guid', '=', guid).execute();
}

/** What an app's processes should be, with the addresses that lead to them. */
export async function readDesired(db: Database, appGuid: string): Promise<DesiredProcess[]> {
  const processes = await stated(db).where('processes.app_guid', '=', appGuid).orderBy('processes.id').execute();
  const addresses = await listAddresses(db, appGuid);
  return processes.map((process) => ({
    process: process.guid,
    isStarted: process.app_state === 'STARTED' && process.droplet_guid !== null,
    instances: process.instances,
    version: process.version,
    uris: addresses.filter(({ type }) => type === process.type).map(({ uri }) => uri),
  }));
}

/** An address of a process type: `host.domain/path`, and how it is spoken to. */
export type Address = { readonly type: string; readonly uri: string; readonly protocol: string };

export async function listAddresses(db: Database, appGuid: string): Promise<Address[]> {
  const rows = await db
    .selectFrom('destinations')
    .innerJoin('routes', 'routes.guid', 'destinations.route_guid')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .select(['destinations.process_type as type', 'destinations.protocol', 'routes.host', 'routes.path'])
    .select('domains.name as domain')
    .where('destinations.app_guid', '=', appGuid)
    .orderBy('destinations.id')
    .execute();
  return rows.map(({ type, protocol, host, path, domain }) => {
    const name = host === '' ? domain : `${host}.${domain}`;
    return { type, protocol, uri: `${name}${path}` };
  });
}

/** Processes in the order of their ids, for the health manager's walk. */
export function listProcessesAfter(db: Database, id: number, count: number): Promise<StatedProcess[]> {
  return stated(db).where('processes.id', '>', id).orderBy('processes.id').limit(count).execute();
}

/** What the started processes of an organization or a space use, all but one of them. MB, bytes a second. */
export async function readUsage(
  db: Database,
  where: { organizationGuid: string; exceptProcess?: string; exceptApp?: string },
): Promise<{ memoryMb: number; instances: number; logRateBytesS: number }> {
  const row = await db
    .selectFrom('processes')
    .innerJoin('apps', 'apps.guid', 'processes.app_guid')
    .innerJoin('spaces', 'spaces.guid', 'apps.space_guid')
    .select([
      sql<number>`coalesce(sum(processes.memory_in_mb::bigint * processes.instances), 0)::bigint`.as('memory'),
      sql<number>`coalesce(sum(processes.instances), 0)::bigint`.as('instances'),
      sql<number>`coalesce(sum(greatest(processes.log_rate_limit_in_bytes_per_second, 0) * processes.instances), 0)::bigint`.as(
        'log_rate',
      ),
    ])
    .where('apps.state', '=', 'STARTED')
    .where('spaces.organization_guid', '=', where.organizationGuid)
    .where('processes.guid', '<>', where.exceptProcess ?? '')
    .where('apps.guid', '<>', where.exceptApp ?? '')
    .executeTakeFirstOrThrow();
  return { memoryMb: row.memory, instances: row.instances, logRateBytesS: row.log_rate };
}

/** Keeps changes of what an organization uses from overlapping: the second one sees what the first one took. */
export async function lockOrganizationUsage(tx: Database, organizationGuid: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`usage ${organizationGuid}`}))`.execute(tx);
}

export function getOrganizationQuota(db: Database, quotaGuid: string) {
  return db.selectFrom('organization_quotas').selectAll().where('guid', '=', quotaGuid).executeTakeFirstOrThrow();
}

const found = (process: StatedProcess | undefined): StatedProcess => {
  if (!process) throw new PlatformError('ResourceNotFound', 'Process not found');
  return process;
};
