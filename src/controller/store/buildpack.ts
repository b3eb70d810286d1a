import { type Selectable, type SqlBool, sql } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { among, fetchPage, type Page } from './page.ts';
import type { BuildpackTable, ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type BuildpackRow = Selectable<BuildpackTable>;

export type BuildpackChange = {
  readonly name?: string;
  readonly stack?: string | null;
  readonly enabled?: boolean;
  readonly locked?: boolean;
  readonly state?: BuildpackRow['state'];
  readonly filename?: string;
  readonly sha256?: string;
  readonly is_built_in?: boolean;
  readonly labels?: string;
  readonly annotations?: string;
};

export function listBuildpacks(
  db: Database,
  query: Query<'names' | 'stacks' | 'lifecycle'>,
): Promise<Page<BuildpackRow>> {
  const stacks = query.values('stacks');
  return fetchPage(db.selectFrom('buildpacks').selectAll('buildpacks'), query, {
    table: 'buildpacks',
    conditions: [
      among('buildpacks.name', query.values('names')),
      // An empty value asks for buildpacks without a stack.
      stacks && sql<SqlBool>`coalesce(buildpacks.stack, '') = any(${stacks})`,
      among('buildpacks.lifecycle', query.values('lifecycle')),
    ],
  });
}

/** @throws PlatformError ResourceNotFound */
export async function getBuildpack(db: Database, guid: string): Promise<BuildpackRow> {
  const row = await db.selectFrom('buildpacks').selectAll().where('guid', '=', guid).executeTakeFirst();
  if (!row) throw new PlatformError('ResourceNotFound', 'Buildpack not found');
  return row;
}

/** Adds a buildpack at a position, moving those from there on. @throws PlatformError when the name is taken */
export async function insertBuildpack(
  tx: Database,
  buildpack: BuildpackChange & { guid: string; name: string; lifecycle: string },
  position: number,
): Promise<void> {
  await holdOrder(tx);
  const last = await lastPosition(tx);
  const at = Math.min(position, last + 1);
  await shift(tx, at, 1);
  await explainConflict(nameTaken(buildpack), () =>
    tx
      .insertInto('buildpacks')
      .values({ ...buildpack, position: at })
      .execute(),
  );
}

/** @throws PlatformError when the name is taken */
export async function updateBuildpack(tx: Database, row: BuildpackRow, change: BuildpackChange): Promise<void> {
  await explainConflict(nameTaken({ ...row, ...change }), () =>
    tx
      .updateTable('buildpacks')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', row.guid)
      .execute(),
  );
}

/** Moves a buildpack; those between move up or down by one. */
export async function moveBuildpack(tx: Database, row: BuildpackRow, position: number): Promise<void> {
  await holdOrder(tx);
  const { position: from } = await getBuildpack(tx, row.guid);
  await shift(tx, from + 1, -1);
  const at = Math.min(position, (await lastPosition(tx, row.guid)) + 1);
  await tx
    .updateTable('buildpacks')
    .set({ position: sql<number>`position + 1` })
    .where('position', '>=', at)
    .where('guid', '!=', row.guid)
    .execute();
  await tx.updateTable('buildpacks').set({ position: at }).where('guid', '=', row.guid).execute();
}

export async function deleteBuildpack(tx: Database, row: BuildpackRow): Promise<void> {
  await holdOrder(tx);
  await tx.deleteFrom('buildpacks').where('guid', '=', row.guid).execute();
  await shift(tx, row.position + 1, -1);
}

/** One change of the order at a time. */
async function holdOrder(tx: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('buildpack positions', 0))`.execute(tx);
}

async function shift(tx: Database, from: number, by: 1 | -1): Promise<void> {
  await tx
    .updateTable('buildpacks')
    .set({ position: sql<number>`position + ${by}` })
    .where('position', '>=', from)
    .execute();
}

async function lastPosition(tx: Database, exceptGuid = ''): Promise<number> {
  const row = await tx
    .selectFrom('buildpacks')
    .select((eb) => eb.fn.max('position').as('last'))
    .where('guid', '!=', exceptGuid)
    .executeTakeFirst();
  return row?.last ?? 0;
}

function nameTaken(buildpack: {
  name: string;
  stack?: string | null;
  lifecycle: string;
}): Record<string, PlatformError> {
  const { name, stack = null, lifecycle } = buildpack;
  const where = stack === null ? 'no stack' : `the stack ${stack}`;
  const text = `The buildpack name ${name} is already in use for ${where} and the lifecycle ${lifecycle}`;
  return { buildpacks_name: new PlatformError('BuildpackNameStackLifecycleTaken', text) };
}
