import { sql } from 'kysely';
import type { Db, Tx } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

/** Waits until no other transaction, of any controller, holds this app; holds it until the transaction ends. */
export async function lockApp(tx: Tx<ControllerSchema>, appGuid: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`app ${appGuid}`}, 0))`.execute(tx);
}

/** Runs work on the announced routes of an app while no other controller does. */
export function withRoutes<T>(
  db: Db<ControllerSchema>,
  appGuid: string,
  work: (tx: Tx<ControllerSchema>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`routes ${appGuid}`}, 0))`.execute(tx);
    return work(tx);
  });
}

/** A transaction that holds the app: keep it short, it takes a connection of the pool. */
export function withApp<T>(
  db: Db<ControllerSchema>,
  appGuid: string,
  work: (tx: Tx<ControllerSchema>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await lockApp(tx, appGuid);
    return work(tx);
  });
}
