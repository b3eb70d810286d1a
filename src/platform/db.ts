import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import pg from 'pg';

// int8 columns hold counts and byte sizes below 2^53; the wire wants numbers.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

/** A database handle for reads. */
export type Db<S> = Kysely<S>;
/** An open transaction; writes that belong together ask for one. */
export type Tx<S> = Transaction<S>;

/** Opens a pool on a PostgreSQL URL. `schema` becomes the search path of every connection. */
export function openDatabase<S>(url: string, options: { schema: string; max?: number }): Db<S> {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 8,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 10_000,
    options: `-c search_path=${options.schema}`,
  });
  // A lost idle connection is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  return new Kysely<S>({ dialect: new PostgresDialect({ pool }) });
}

const AWAY_CODES =
  /^(ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|08\w{3}|57P0[123]|53300)$/;

/** Is the server not there, starting, stopping, or out of connections: may the same be tried again in a moment? */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && AWAY_CODES.test(String(error.code))) return true;
  // The driver gives these no code.
  return /^(Connection terminated|timeout exceeded when trying to connect)/.test(error.message);
}

const DISK_FULL = '53100';
const CONNECTING = new Set(['connect', 'getaddrinfo', 'read', 'write']);
const FROM_SYSTEM = /^E/;

/** What an error of a request says of the database itself, in a sentence for the user; undefined when it says nothing. */
export function databaseTrouble(error: unknown): { readonly says: string; readonly passesSoon: boolean } | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? String(error.code) : '';
  if (code === DISK_FULL) {
    return { says: "The control database's disk is full; an administrator must free some space.", passesSoon: false };
  }
  // Files give some of these too.
  const isOfConnection = !FROM_SYSTEM.test(code) || ('syscall' in error && CONNECTING.has(String(error.syscall)));
  if (!isDatabaseAway(error) || !isOfConnection) return undefined;
  return { says: 'The control database cannot be reached. Try again in a moment.', passesSoon: true };
}

/** One step of a schema's history. `name` orders them and never changes once landed. */
export type Migration = { readonly name: string; readonly up: (tx: Tx<unknown>) => Promise<void> };

/**
 * Brings a schema up to date, one transaction per migration; several processes may call it at once.
 *
 * @throws when the database knows a later migration than this code (an older version must not write)
 */
export async function migrate(db: Db<unknown>, schema: string, migrations: readonly Migration[]): Promise<void> {
  await db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(hashtext(${`migrate ${schema}`}))`.execute(connection);
    try {
      await sql`create schema if not exists ${sql.id(schema)}`.execute(connection);
      await sql`create table if not exists ${sql.id(schema, 'migrations')}
        (name text primary key, applied_at timestamptz not null default now())`.execute(connection);
      const rows = await sql<{ name: string }>`select name from ${sql.id(schema, 'migrations')}`.execute(connection);
      const applied = new Set(rows.rows.map((row) => row.name));
      const unknown = [...applied].filter((name) => !migrations.some((m) => m.name === name));
      if (unknown.length > 0) {
        throw new Error(`the database's ${schema} schema is newer than this version (${unknown.join(', ')})`);
      }
      for (const migration of migrations) {
        if (applied.has(migration.name)) continue;
        await connection.transaction().execute(async (tx) => {
          await sql`set local search_path to ${sql.id(schema)}`.execute(tx);
          await migration.up(tx);
          await sql`insert into ${sql.id(schema, 'migrations')} (name) values (${migration.name})`.execute(tx);
        });
      }
    } finally {
      await sql`select pg_advisory_unlock(hashtext(${`migrate ${schema}`}))`.execute(connection);
    }
  });
}
