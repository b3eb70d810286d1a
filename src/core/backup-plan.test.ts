import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backupName, backupState, isBackupDue, surplusBackups } from './backup-plan.ts';

const settings = { enabled: true, at: '02:30', kept: 2 };
const ms = (text: string) => Date.parse(text);
const startedMs = ms('2026-03-01T00:00:00Z');

test('a backup is due every day at its time, an hour after a failure, and soon after the first start', () => {
  const due = (now: string, tried?: string, why?: string) => {
    const status = tried === undefined ? undefined : { triedAtMs: ms(tried), ...(why === undefined ? {} : { why }) };
    return isBackupDue(settings, { status, startedMs, nowMs: ms(now) });
  };
  assert.equal(due('2026-03-01T00:09:59Z'), false);
  assert.equal(due('2026-03-01T00:10:00Z'), true);
  assert.equal(due('2026-03-02T02:29:59Z', '2026-03-01T02:30:01Z'), false);
  assert.equal(due('2026-03-02T02:30:00Z', '2026-03-01T02:30:01Z'), true);
  assert.equal(due('2026-03-02T12:00:00Z', '2026-03-01T02:30:01Z'), true, 'the machine was off');
  assert.equal(due('2026-03-02T03:29:00Z', '2026-03-02T02:30:00Z', 'disk full'), false);
  assert.equal(due('2026-03-02T03:30:00Z', '2026-03-02T02:30:00Z', 'disk full'), true);
  assert.equal(isBackupDue({ ...settings, enabled: false }, { status: undefined, startedMs: 0, nowMs: 1e15 }), false);
});

test('of the backups the newest stay, and other files are left alone', () => {
  const names = ['2026-03-01', '2026-03-03', '2026-03-02'].map((day) => backupName(ms(`${day}T02:30:00.123Z`)));
  assert.equal(names[0], 'control-database-20260301T023000Z.age');
  assert.deepEqual(surplusBackups([...names, 'notes.txt', 'control-database-.age.part'], 2), [names[0]]);
  assert.deepEqual(surplusBackups(names, 3), []);
});

test('how the backups are is said in words', () => {
  const good = { atMs: ms('2026-03-01T02:30:00Z'), file: '/b/x.age', bytes: 1 };
  const at = (now: string, status?: Parameters<typeof backupState>[1]) => backupState(settings, status, ms(now));
  assert.equal(at('2026-03-01T03:00:00Z').state, 'none');
  assert.deepEqual(at('2026-03-01T03:00:00Z', { triedAtMs: good.atMs, good }), {
    state: 'good',
    text: 'the last good one is /b/x.age, of 2026-03-01T02:30Z',
  });
  assert.equal(at('2026-03-02T04:31:00Z', { triedAtMs: good.atMs, good }).state, 'late');
  const failed = at('2026-03-02T03:00:00Z', { triedAtMs: ms('2026-03-02T02:30:00Z'), why: 'the disk is full', good });
  assert.equal(failed.state, 'failed');
  assert.match(failed.text, /of 2026-03-02T02:30Z failed: the disk is full; the last good one is \/b\/x.age/);
});
