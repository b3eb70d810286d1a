import type { Boot } from '../platform/config.ts';
import { type Db, isDatabaseAway, type Migration, migrate } from '../platform/db.ts';

const RETRY_MS = 500;
const WAIT_MS = 60_000;

/**
 * Brings a schema up to date; a database that is not up yet, or out of connections for a moment, is waited for.
 *
 * @throws the database's error after a minute, or at once when waiting can't help (a wrong password, a newer schema)
 */
export async function migrateWhenUp(
  boot: Pick<Boot, 'clock' | 'stop' | 'log'>,
  database: { readonly db: Db<unknown>; readonly schema: string; readonly migrations: readonly Migration[] },
): Promise<void> {
  const { db, schema, migrations } = database;
  const deadlineMs = boot.clock.nowMs() + WAIT_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await migrate(db, schema, migrations);
    } catch (error) {
      if (!isDatabaseAway(error) || boot.clock.nowMs() > deadlineMs) throw error;
      if (attempt === 1) boot.log.warn('waits-for-database', { error });
      await boot.clock.sleep(RETRY_MS, boot.stop);
    }
  }
}
