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

/** Seals the secret settings of a database with another key. */
export async function resealSecretSettings(
  server: DatabaseServer,
  options: { database: string; from: string; to: string },
): Promise<void> {
  const [from, to] = [secretBox(options.from), secretBox(options.to)];
  const db = openDatabase<unknown>(server.url('primary', options.database), { schema: 'primary', max: 1 });
  try {
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ name: string; sealed: string }>`select name, sealed from secrets`.execute(tx);
      for (const { name, sealed } of rows) {
        await sql`update secrets set sealed = ${to.seal(from.open(sealed))} where name = ${name}`.execute(tx);
      }
    });
  } finally {
    await db.destroy();
  }
}
