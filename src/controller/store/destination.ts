import { type Selectable, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema, DestinationTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type DestinationRow = Selectable<DestinationTable>;

/** A destination to be added; `port` null means the app's usual one. */
export type NewDestination = {
  readonly guid: string;
  readonly app_guid: string;
  readonly process_type: string;
  readonly port: number | null;
  readonly protocol: string;
};

export function listDestinations(db: Database, routeGuids: readonly string[]): Promise<DestinationRow[]> {
  if (routeGuids.length === 0) return Promise.resolve([]);
  return db
    .selectFrom('destinations')
    .selectAll()
    .where('route_guid', 'in', [...routeGuids])
    .orderBy('id')
    .execute();
}

/** Adds destinations; those that are there already stay as they are. Gives the ones added. */
export function insertDestinations(
  tx: Database,
  routeGuid: string,
  destinations: readonly NewDestination[],
): Promise<DestinationRow[]> {
  if (destinations.length === 0) return Promise.resolve([]);
  return tx
    .insertInto('destinations')
    .values(destinations.map((destination) => ({ ...destination, route_guid: routeGuid })))
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .execute();
}

export async function deleteDestinations(tx: Database, guids: readonly string[]): Promise<void> {
  if (guids.length > 0)
    await tx
      .deleteFrom('destinations')
      .where('guid', 'in', [...guids])
      .execute();
}

export async function updateDestination(tx: Database, guid: string, protocol: string): Promise<void> {
  await tx
    .updateTable('destinations')
    .set({ protocol, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

/** Which of these apps exist, and where. */
export function findMappableApps(
  db: Database,
  guids: readonly string[],
): Promise<{ guid: string; name: string; space_guid: string }[]> {
  if (guids.length === 0) return Promise.resolve([]);
  return db
    .selectFrom('apps')
    .select(['guid', 'name', 'space_guid'])
    .where('guid', 'in', [...guids])
    .execute();
}

/** Takes a route away from the apps of one space; gives those apps. */
export async function deleteDestinationsIn(tx: Database, routeGuid: string, spaceGuid: string): Promise<string[]> {
  const rows = await tx
    .deleteFrom('destinations')
    .where('route_guid', '=', routeGuid)
    .where('app_guid', 'in', (eb) => eb.selectFrom('apps').select('apps.guid').where('apps.space_guid', '=', spaceGuid))
    .returning('app_guid')
    .execute();
  return [...new Set(rows.map((row) => row.app_guid))];
}
