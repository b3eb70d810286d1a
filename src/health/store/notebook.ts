import pg from 'pg';
import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import type { Notebook, Notes } from '../notebook.ts';
import { prepare } from './leader.ts';

const QUERY_TIMEOUT_MS = 3000;

const Kept = Type.Object({
  deas: Type.Array(Type.String()),
  crashes: Type.Array(
    Type.Object({
      droplet: Type.String(),
      version: Type.String(),
      index: Type.Integer(),
      count: Type.Integer(),
      lastAtMs: Type.Number(),
      instance: Type.String(),
    }),
  ),
});

/** Keeps the notes beside the term, so that a replaced leader can't write over its successor's. */
export class DatabaseNotebook implements Notebook {
  readonly #pool: pg.Pool;
  #isPrepared = false;

  constructor(databaseUrl: string) {
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 1,
      idleTimeoutMillis: 10_000,
      connectionTimeoutMillis: QUERY_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    // A lost idle connection is replaced by the pool; without a listener it would end the process.
    this.#pool.on('error', () => {});
  }

  async read(): Promise<Notes | undefined> {
    if (!this.#isPrepared) await this.#prepare();
    const { rows } = await this.#pool.query<{ notes: unknown }>('select notes from health.leader');
    const notes = rows[0]?.notes;
    return notes === null || notes === undefined ? undefined : decode(Kept, notes, 'notes of the health manager');
  }

  async write(notes: Notes, term: number): Promise<void> {
    await this.#pool.query('update health.leader set notes = $1 where term <= $2', [JSON.stringify(notes), term]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.end();
  }

  async #prepare(): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await prepare(client);
    } finally {
      client.release();
    }
    this.#isPrepared = true;
  }
}
