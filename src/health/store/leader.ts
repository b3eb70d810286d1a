import pg from 'pg';
import { type Clock, slept } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Leadership } from '../leadership.ts';

/** Key of the advisory lock, `hcm` in ASCII: any number that nobody else uses. */
const LOCK_KEY = 0x68636d;
const CHECK_MS = 2000;
const QUERY_TIMEOUT_MS = 3000;

export type LeaderOptions = { readonly databaseUrl: string; readonly clock: Clock; readonly log: Log };

/**
 * Leads while its database session holds the advisory lock. The server frees the lock with the session, so that a dead
 * leader is followed at once; a leader that loses its session knows within one check.
 */
export class DatabaseLeadership implements Leadership {
  readonly #options: LeaderOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #term = 0;
  #isLeader = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  isLeader(): boolean {
    return this.#isLeader;
  }

  term(): number {
    return this.#term;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#holdSession();
      } catch (error) {
        if (!signal.aborted) log.warn('lost-leader-session', { error });
      }
      this.#setLeader(false);
      await slept(clock, CHECK_MS, signal);
    }
  }

  async #holdSession(): Promise<void> {
    const { clock, databaseUrl } = this.#options;
    const { signal } = this.#stop;
    const client = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: QUERY_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    client.on('error', () => this.#setLeader(false));
    try {
      await client.connect();
      await prepare(client);
      while (!signal.aborted) {
        if (this.#isLeader) await client.query('select 1');
        else if (await tryLock(client)) {
          this.#term = await nextTerm(client);
          this.#setLeader(true);
        }
        await slept(clock, CHECK_MS, signal);
      }
    } finally {
      this.#setLeader(false);
      await client.end();
    }
  }

  #setLeader(isLeader: boolean): void {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    this.#options.log.info(isLeader ? 'became-leader' : 'lost-leadership', { term: this.#term });
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [LOCK_KEY]);
  return rows[0]?.held === true;
}

async function nextTerm(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ term: number }>(
    'update health.leader set term = term + 1, since = now() returning term',
  );
  return rows[0]?.term ?? 0;
}

/** Makes the table of the leader. Two that start at once may both find nothing; the lock makes one wait for the other. */
export async function prepare(client: pg.ClientBase): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [LOCK_KEY + 1]);
  try {
    // `if not exists` would ask for the right to create schemas even where there is nothing to create.
    const { rows } = await client.query<{ exists: boolean }>(`select to_regnamespace('health') is not null as exists`);
    if (!rows[0]?.exists) await client.query('create schema health');
    await client.query(
      'create table if not exists health.leader (only_one boolean primary key default true check (only_one), term integer not null, since timestamptz not null)',
    );
    await client.query('alter table health.leader add column if not exists notes jsonb');
    await client.query('insert into health.leader (term, since) values (0, now()) on conflict do nothing');
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY + 1]);
  }
}
