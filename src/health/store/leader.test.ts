import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import { DatabaseLeadership } from './leader.ts';

/** The real clock, only faster, so that checks come every few milliseconds. */
const hurried: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(10, signal) };

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!isTrue()) {
    if (deadline.aborted) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('one of two leads; when its session dies the other follows, with a higher term', async () => {
  await using database = await temporaryDatabase({ schema: 'public' });
  const options = { databaseUrl: database.url, clock: hurried, log: silentLog };
  await using first = new DatabaseLeadership(options);
  await until('a first leader', () => first.isLeader());
  const term = first.term();
  await using second = new DatabaseLeadership(options);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await until('the second is connected', () => second.term() === 0 && !second.isLeader());
    let changes = 0;
    let last = first.term();
    // Whoever takes the lock next may be either; each change of hands must raise the term.
    while (changes < 3) {
      await client.query(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and objid = $1",
        [0x68636d],
      );
      const leads = () => [first, second].filter((one) => one.isLeader() && one.term() > last);
      await until('a new leader', () => leads().length > 0);
      last = leads()[0]?.term() ?? 0;
      changes += 1;
    }
    assert.ok(last >= term + 3);
    await until('only one leads', () => Number(first.isLeader()) + Number(second.isLeader()) === 1);
  } finally {
    await client.end();
  }
});
