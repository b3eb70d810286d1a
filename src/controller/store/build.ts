import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { BuildTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type BuildRow = Selectable<BuildTable>;
export type BuildFilter = 'states' | 'app_guids' | 'package_guids';

export function listBuilds(
  db: Database,
  caller: Caller,
  options: { query: Query<BuildFilter>; appGuid?: string },
): Promise<Page<BuildRow>> {
  const { query, appGuid } = options;
  const select = db.selectFrom('builds').innerJoin('apps', 'apps.guid', 'builds.app_guid').selectAll('builds');
  return fetchPage(select, query, {
    table: 'builds',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      among('builds.state', query.values('states')),
      among('builds.app_guid', appGuid === undefined ? query.values('app_guids') : [appGuid]),
      among('builds.package_guid', query.values('package_guids')),
    ],
  });
}

/** @throws PlatformError 404 */
export async function getBuild(db: Database, guid: string): Promise<BuildRow> {
  const row = await findBuild(db, guid);
  if (!row) throw new PlatformError('ResourceNotFound', 'Build not found');
  return row;
}

export function findBuild(db: Database, guid: string): Promise<BuildRow | undefined> {
  return db.selectFrom('builds').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** Reads a build and lets nobody else end it before this transaction does. */
export function lockBuild(tx: Database, guid: string): Promise<BuildRow | undefined> {
  return tx.selectFrom('builds').selectAll().where('guid', '=', guid).forUpdate().executeTakeFirst();
}

export function listOpenBuilds(db: Database, appGuid?: string): Promise<BuildRow[]> {
  const open = db.selectFrom('builds').selectAll().where('state', '=', 'STAGING');
  return (appGuid === undefined ? open : open.where('app_guid', '=', appGuid)).execute();
}

/**
 * Makes this controller the one that looks for a stager, unless another one said that it does within the last
 * `leaseS`; false when there is nothing to do.
 */
export async function claimOffer(db: Database, guid: string, leaseS: number): Promise<boolean> {
  const claimed = await db
    .updateTable('builds')
    .set({ offered_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .where('state', '=', 'STAGING')
    .where('stager', 'is', null)
    .where((eb) =>
      eb.or([eb('offered_at', 'is', null), eb('offered_at', '<', sql<Date>`now() - ${leaseS} * interval '1 s'`)]),
    )
    .returning('guid')
    .executeTakeFirst();
  return claimed !== undefined;
}

/** Says that this controller still looks for a stager; false when the build has ended. */
export async function renewOffer(db: Database, guid: string): Promise<boolean> {
  const renewed = await db
    .updateTable('builds')
    .set({ offered_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .where('state', '=', 'STAGING')
    .returning('guid')
    .executeTakeFirst();
  return renewed !== undefined;
}

/** @throws PlatformError StagingInProgress when the app has a build in state STAGING */
export async function insertBuild(tx: Database, build: Insertable<BuildTable>): Promise<BuildRow> {
  try {
    return await tx.insertInto('builds').values(build).returningAll().executeTakeFirstOrThrow();
  } catch (error) {
    const constraint = error instanceof Error && 'constraint' in error ? error.constraint : undefined;
    if (constraint === 'builds_one_staging') throw new PlatformError('StagingInProgress', '', { cause: error });
    throw error;
  }
}

export async function updateBuild(tx: Database, guid: string, change: Updateable<BuildTable>): Promise<void> {
  await tx
    .updateTable('builds')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

/** Buildpacks a build may use, in the order in which detection asks them. */
export function listUsableBuildpacks(db: Database, stacks: readonly string[]) {
  return db
    .selectFrom('buildpacks')
    .selectAll()
    .where('enabled', '=', true)
    .where('state', '=', 'READY')
    .where('lifecycle', '=', 'buildpack')
    .where((eb) => eb.or([eb('stack', 'is', null), eb('stack', 'in', [...stacks])]))
    .orderBy('position')
    .orderBy('id')
    .execute();
}

/** Does an enabled buildpack of this name exist? */
export async function isBuildpackKnown(db: Database, name: string): Promise<boolean> {
  const row = await db.selectFrom('buildpacks').select('guid').where('name', '=', name).executeTakeFirst();
  return row !== undefined;
}
