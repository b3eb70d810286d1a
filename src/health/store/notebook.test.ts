import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import type { Notes } from '../notebook.ts';
import { DatabaseNotebook } from './notebook.ts';

const notes = (dea: string): Notes => ({
  deas: [dea],
  crashes: [{ droplet: 'p1', version: 'v1', index: 0, count: 4, lastAtMs: 1_700_000_000_123, instance: 'i1' }],
});

test('the notes outlive their writer, and a leader that was replaced does not write over its successor', async () => {
  await using database = await temporaryDatabase({ schema: 'public' });
  await using first = new DatabaseNotebook(database.url);
  await using second = new DatabaseNotebook(database.url);
  assert.deepEqual(await Promise.all([first.read(), second.read()]), [undefined, undefined]);
  await first.write(notes('a'), 1);
  assert.deepEqual(await second.read(), notes('a'));
  await sql`update health.leader set term = 2`.execute(database.db);
  await second.write(notes('b'), 2);
  await first.write(notes('late'), 1);
  assert.deepEqual(await first.read(), notes('b'));
});
