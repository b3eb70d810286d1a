import { errorTable, PlatformError } from '../../contract/errors.ts';
import { claimJob, deleteFinishedJobs, finishJob, type JobRow, postponeJob, renewLease } from '../store/job.ts';
import type { JobMessage } from '../store/schema.ts';
import type { Controller } from './controller.ts';

/** What a job's work may answer: nothing, or that it must be looked at again later. */
export type JobOutcome = { readonly warnings?: readonly string[]; readonly pollAgainInS?: number };

/**
 * The work of one operation. It may run again from the start, when the controller that ran it was killed: it must be
 * idempotent. A PlatformError fails the job with its text.
 */
export type JobHandler = (controller: Controller, job: JobRow) => Promise<JobOutcome | undefined>;

export type JobHandlers = Readonly<Record<string, JobHandler>>;

/** Several faults of one job, all shown. */
export class JobErrors extends Error {
  override name = 'JobErrors';
  readonly errors: readonly PlatformError[];
  constructor(errors: readonly PlatformError[]) {
    super(errors.map((error) => error.message).join('\n'));
    this.errors = errors;
  }
}

const LEASE_S = 30;
const POLL_MS = 1000;
const CLEAN_MS = 600_000;
const MAX_ATTEMPTS = 5;
const PARALLEL = 4;

/** Runs jobs of any controller, a few at once, until disposed; takes over those whose controller went silent. */
export class JobWorker implements AsyncDisposable {
  readonly #controller: Controller;
  readonly #handlers: JobHandlers;
  readonly #timers: Disposable[] = [];
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;

  constructor(controller: Controller, handlers: JobHandlers) {
    this.#controller = controller;
    this.#handlers = handlers;
  }

  start(): void {
    const { clock } = this.#controller;
    this.#timers.push(
      clock.every(POLL_MS, () => this.wake()),
      clock.every(CLEAN_MS, () => this.#clean()),
    );
    this.wake();
  }

  /** How many jobs are being worked on. */
  get running(): number {
    return this.#running.size;
  }

  /** Looks for work now. */
  wake(): void {
    if (this.#isStopped || this.#running.size >= PARALLEL) return;
    const run = this.#drain().finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Resolves when nothing is left to do at this moment. */
  async idle(): Promise<void> {
    this.wake();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    await Promise.all(this.#running);
  }

  async #drain(): Promise<void> {
    while (!this.#isStopped) {
      const job = await this.#claim();
      if (!job) return;
      this.wake();
      await this.#run(job);
    }
  }

  async #claim(): Promise<JobRow | undefined> {
    try {
      return await claimJob(this.#controller.db, LEASE_S);
    } catch (error) {
      // Without the database there is nothing to do until it is back; the next poll tries again.
      this.#controller.log.warn('failed-to-claim-job', { error });
      return undefined;
    }
  }

  async #run(job: JobRow): Promise<void> {
    const { db, log, clock } = this.#controller;
    const lease = clock.every((LEASE_S * 1000) / 3, () => this.#renew(job));
    try {
      const outcome = await this.#work(job);
      const isOurs =
        outcome?.pollAgainInS === undefined
          ? await finishJob(db, job, { errors: [], warnings: outcome?.warnings ?? [] })
          : await postponeJob(db, job, outcome.pollAgainInS);
      if (!isOurs) log.warn('lost-job', { jobGuid: job.guid, operation: job.operation });
    } catch (error) {
      const errors = jobMessages(error);
      log.warn('failed-job', { jobGuid: job.guid, operation: job.operation, error });
      await this.#fail(job, errors);
    } finally {
      lease[Symbol.dispose]();
    }
  }

  async #work(job: JobRow): Promise<JobOutcome | undefined> {
    const handler = this.#handlers[job.operation];
    if (!handler) throw new Error(`no handler for the job ${job.operation}`);
    if (job.attempts > MAX_ATTEMPTS) {
      throw new PlatformError(
        'UnprocessableEntity',
        `${job.operation} was interrupted ${MAX_ATTEMPTS} times; try again`,
      );
    }
    return handler(this.#controller, job);
  }

  async #clean(): Promise<void> {
    const { db, config, log } = this.#controller;
    try {
      await deleteFinishedJobs(db, config.controller.jobsKeptS);
    } catch (error) {
      log.warn('failed-to-clean-jobs', { error });
    }
  }

  async #renew(job: JobRow): Promise<void> {
    try {
      await renewLease(this.#controller.db, job, LEASE_S);
    } catch (error) {
      this.#controller.log.warn('failed-to-renew-lease', { jobGuid: job.guid, error });
    }
  }

  async #fail(job: JobRow, errors: readonly JobMessage[]): Promise<void> {
    try {
      await finishJob(this.#controller.db, job, { errors, warnings: [] });
    } catch (error) {
      // The lease runs out and another attempt follows.
      this.#controller.log.warn('failed-to-finish-job', { jobGuid: job.guid, error });
    }
  }
}

function jobMessages(error: unknown): JobMessage[] {
  const errors = error instanceof JobErrors ? error.errors : [error];
  return errors.map((one) => {
    if (one instanceof PlatformError) {
      return { code: errorTable[one.kind].code, title: `CF-${one.kind}`, detail: one.message };
    }
    return { code: 10001, title: 'CF-UnknownError', detail: 'An unknown error occurred.' };
  });
}
