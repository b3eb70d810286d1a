import { sql } from 'kysely';
import { openDatabase } from '../../platform/db.ts';
import { secretBox } from '../../platform/secret-box.ts';
import type { DatabaseServer } from './database-server.ts';

/** The secret settings by name, opened with the cluster's encryption key. */
export async function readSecretSettings(
  server: DatabaseServer,
  encryptionKey: string,
): Promise<Record<string, string>> {
  const box = secretBox(encryptionKey);
  const db = openDatabase<unknown>(server.url('primary'), { schema: 'primary', max: 1 });
  try {
    const { rows } = await sql<{ name: string; sealed: string }>`select name, sealed from secrets`.execute(db);
    return Object.fromEntries(rows.map(({ name, sealed }) => [name, box.open(sealed)]));
  } finally {
    await db.destroy();
  }
}
