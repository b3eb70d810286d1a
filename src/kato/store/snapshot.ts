import { sql } from 'kysely';
import { systemClock } from '../../platform/clock.ts';
import { type Db, openDatabase } from '../../platform/db.ts';
import { systemRandom } from '../../platform/random.ts';
import type { DatabaseServer } from './database-server.ts';

const HOLD_S = 180;
const RENEW_MS = 30_000;
const DUMP_TIMEOUT_MS = 6 * 3_600_000;

/** A blob that a row speaks of. */
export type ReferredBlob = { readonly key: string; readonly sha256: string | null };

/** Kinds of blobs by the first part of their key, with the rows that speak of them. */
const REFERENCES: Readonly<Record<string, string>> = {
  packages: `select 'packages/' || guid as key, sha256 from controller.packages where state = 'READY'`,
  droplets: `select 'droplets/' || guid as key, sha256 from controller.droplets where state = 'STAGED'`,
  buildpacks: `select 'buildpacks/' || guid as key, sha256 from controller.buildpacks
    where state = 'READY' and not is_built_in`,
  resources: `select 'resources/' || sha1 as key, null as sha256 from controller.resources`,
};

/** Blobs of these kinds that the controller's rows speak of. */
export async function listReferredBlobs(db: Db<unknown>, kinds: readonly string[]): Promise<ReferredBlob[]> {
  const queries = kinds.flatMap((kind) => REFERENCES[kind] ?? []);
  return queries.length === 0 ? [] : (await sql.raw<ReferredBlob>(queries.join(' union all ')).execute(db)).rows;
}

/** Blobs that are not deleted until it is disposed. */
export type BlobHold = AsyncDisposable & {
  /** @throws what kept the hold from being renewed */
  readonly check: () => void;
};

/** Keeps blobs from being deleted until disposed; after `kill -9` no longer than three minutes. */
export async function holdBlobs(server: DatabaseServer): Promise<BlobHold> {
  const db = openDatabase<unknown>(server.url('controller'), { schema: 'controller', max: 1 });
  const id = systemRandom.hex(8);
  const hold = () =>
    sql`insert into blob_holds (id, held_until) values (${id}, now() + make_interval(secs => ${HOLD_S}))
      on conflict (id) do update set held_until = excluded.held_until`.execute(db);
  try {
    await hold();
  } catch (error) {
    await db.destroy();
    throw error;
  }
  let failure: unknown;
  const renewal = systemClock.every(RENEW_MS, () =>
    hold().catch((error: unknown) => {
      failure = error;
    }),
  );
  return {
    check: () => {
      if (failure !== undefined) throw failure;
    },
    [Symbol.asyncDispose]: async () => {
      renewal[Symbol.dispose]();
      try {
        await sql`delete from blob_holds where id = ${id} or held_until < now()`.execute(db);
      } finally {
        await db.destroy();
      }
    },
  };
}

/**
 * Writes the control database as it is at one moment to an open file, in PostgreSQL's own format.
 *
 * @returns the blobs of these kinds that it speaks of
 */
export async function dumpDatabase(
  server: DatabaseServer,
  options: { fd: number; schemas: readonly string[]; kinds: readonly string[]; signal: AbortSignal },
): Promise<{ blobs: ReferredBlob[] }> {
  const db = openDatabase<unknown>(server.url('controller'), { schema: 'controller', max: 1 });
  try {
    return await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (tx) => {
        const { rows } = await sql<{ id: string }>`select pg_export_snapshot() as id`.execute(tx);
        const blobs = await listReferredBlobs(tx, options.kinds);
        const schemas = options.schemas.map((schema) => `--schema=${schema}`);
        await server.program('pg_dump', ['--format=custom', `--snapshot=${rows[0]?.id}`, ...schemas], {
          database: server.database,
          stdoutFd: options.fd,
          timeoutMs: DUMP_TIMEOUT_MS,
          signal: options.signal,
        });
        return { blobs };
      });
  } finally {
    await db.destroy();
  }
}

/** The cluster configuration as stored. */
export async function readStoredSettings(server: DatabaseServer): Promise<unknown> {
  const db = openDatabase<unknown>(server.url('primary'), { schema: 'primary', max: 1 });
  try {
    const { rows } = await sql<{ config: unknown }>`select config from cluster_config`.execute(db);
    return rows[0]?.config ?? {};
  } finally {
    await db.destroy();
  }
}
