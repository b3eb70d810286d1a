import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupStatus } from '../contract/data-archive.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { BackupKeeper } from './backup-keeper.ts';

const HOUR_MS = 3_600_000;

/** A node on which a backup goes as `outcome` says; `null` when it is killed. */
async function nightly(outcome: (count: number) => BackupStatus['why'] | null, hours: number) {
  const clock = new FakeClock(Date.parse('2026-03-01T20:00:00Z'));
  const made: string[] = [];
  const errors: unknown[] = [];
  let status: BackupStatus | undefined;
  const keeper = new BackupKeeper({
    clock,
    log: { ...silentLog, error: (event, fields) => void errors.push([event, fields?.why]) },
    settings: async () => ({ enabled: true, at: '02:30', folder: '', kept: 14 }),
    status: async () => status,
    backUp: async () => {
      made.push(new Date(clock.nowMs()).toISOString().slice(5, 16));
      const why = outcome(made.length);
      if (why === null) return -1;
      status = { triedAtMs: clock.nowMs(), ...(why === undefined ? {} : { why }) };
      return why === undefined ? 0 : 1;
    },
  });
  for (let hour = 0; hour < hours; hour += 1) await clock.advance(HOUR_MS);
  keeper[Symbol.dispose]();
  return { made, errors };
}

test('a backup is made soon after the first start, then every night', async () => {
  const { made, errors } = await nightly(() => undefined, 48);
  assert.deepEqual(made, ['03-01T20:10', '03-02T02:30', '03-03T02:30']);
  assert.deepEqual(errors, []);
});

test('one that fails is an error in the log, and repeated after an hour', async () => {
  const { made, errors } = await nightly((count) => (count === 1 ? 'the disk is full' : undefined), 3);
  assert.deepEqual(made, ['03-01T20:10', '03-01T21:10']);
  assert.deepEqual(errors, [['failed-backup', 'the disk is full']]);
});

test('one that is killed is not repeated at once', async () => {
  const { made, errors } = await nightly(() => null, 3);
  assert.deepEqual(made, ['03-01T20:10', '03-01T21:10', '03-01T22:10']);
  assert.deepEqual(errors[0], ['failed-backup', 'it ended before it said why']);
});
