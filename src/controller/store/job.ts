import { type Selectable, type SqlBool, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema, JobMessage, JobTable } from './schema.ts';

export type JobRow = Selectable<JobTable>;

/** Adds a job in the transaction of the change that needs it; give its guid to `accepted`. */
export async function startJob(
  tx: Db<ControllerSchema>,
  job: {
    readonly guid: string;
    /** `app.delete`, `space.apply_manifest`, …: what the worker finds its work by. */
    readonly operation: string;
    /** The collection (`apps`) and guid that the job is about. */
    readonly resource?: { readonly type: string; readonly guid: string };
    readonly userGuid?: string;
    readonly payload?: unknown;
    /** The work was done in this very transaction: the job is there only to be read. */
    readonly isDone?: boolean;
  },
): Promise<string> {
  await tx
    .insertInto('jobs')
    .values({
      guid: job.guid,
      operation: job.operation,
      resource_type: job.resource?.type ?? null,
      resource_guid: job.resource?.guid ?? null,
      user_guid: job.userGuid ?? null,
      payload: JSON.stringify(job.payload ?? null),
      ...(job.isDone ? { state: 'COMPLETE' } : {}),
    })
    .execute();
  return job.guid;
}

export function findJob(db: Db<ControllerSchema>, guid: string): Promise<JobRow | undefined> {
  return db.selectFrom('jobs').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** Takes the next open job that is due and that nobody works on, for as long as the lease; undefined when there is none. */
export function claimJob(db: Db<ControllerSchema>, leaseS: number): Promise<JobRow | undefined> {
  return db
    .updateTable('jobs')
    .set({
      lease_until: sql<Date>`now() + make_interval(secs => ${leaseS})`,
      attempts: sql<number>`attempts + 1`,
      claims: sql<number>`claims + 1`,
    })
    .where('id', '=', (eb) =>
      eb
        .selectFrom('jobs')
        .select('id')
        .where('state', 'in', ['PROCESSING', 'POLLING'])
        .where(sql<SqlBool>`run_at <= now() and (lease_until is null or lease_until < now())`)
        .orderBy('run_at')
        .orderBy('id')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .executeTakeFirst();
}

/** A job as it was claimed; what is done to it by that claim is void once another has claimed it. */
export type JobClaim = Pick<JobRow, 'guid' | 'claims'>;

/** Holds on to a claimed job; false when another has claimed it meanwhile. */
export async function renewLease(db: Db<ControllerSchema>, job: JobClaim, leaseS: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ lease_until: sql<Date>`now() + make_interval(secs => ${leaseS})` })
    .where('guid', '=', job.guid)
    .where('claims', '=', job.claims)
    .where('state', 'in', ['PROCESSING', 'POLLING'])
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Ends a job: complete without errors, failed with some; false when another has claimed it meanwhile. */
export async function finishJob(
  db: Db<ControllerSchema>,
  job: JobClaim,
  end: { readonly errors: readonly JobMessage[]; readonly warnings: readonly string[] },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({
      state: end.errors.length > 0 ? 'FAILED' : 'COMPLETE',
      errors: JSON.stringify(end.errors),
      warnings: JSON.stringify(end.warnings.map((detail) => ({ detail }))),
      lease_until: null,
      payload: 'null',
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', job.guid)
    .where('claims', '=', job.claims)
    .where('state', 'in', ['PROCESSING', 'POLLING'])
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Puts a job back, to be run again later; clients see it as POLLING. False when another has claimed it meanwhile. */
export async function postponeJob(db: Db<ControllerSchema>, job: JobClaim, delayS: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({
      state: 'POLLING',
      run_at: sql<Date>`now() + make_interval(secs => ${delayS})`,
      lease_until: null,
      attempts: 0,
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', job.guid)
    .where('claims', '=', job.claims)
    .where('state', 'in', ['PROCESSING', 'POLLING'])
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Forgets finished jobs older than this. */
export async function deleteFinishedJobs(db: Db<ControllerSchema>, olderThanS: number): Promise<void> {
  await db
    .deleteFrom('jobs')
    .where('state', 'in', ['COMPLETE', 'FAILED'])
    .where(sql<SqlBool>`updated_at < now() - make_interval(secs => ${olderThanS})`)
    .execute();
}

/** How many jobs wait or run, and how many users there are: what status pages show. */
export async function countWork(db: Db<ControllerSchema>): Promise<{ jobs: number; users: number }> {
  const count = sql<number>`count(*)`;
  const jobs = await db
    .selectFrom('jobs')
    .select(count.as('n'))
    .where('state', 'in', ['PROCESSING', 'POLLING'])
    .executeTakeFirstOrThrow();
  const users = await db.selectFrom('users').select(count.as('n')).executeTakeFirstOrThrow();
  return { jobs: jobs.n, users: users.n };
}
