import type { BackupStatus } from '../contract/data-archive.ts';

const DAY_MS = 86_400_000;
const RETRY_MS = 3_600_000;
const FIRST_AFTER_MS = 600_000;
const LATE_MS = DAY_MS + 2 * RETRY_MS;

export type BackupSettings = { readonly enabled: boolean; readonly at: string; readonly kept: number };

/**
 * Is it time for a backup? Every day at that time of day (UTC), an hour after one that failed, at once when the machine was
 * off at that time, and ten minutes after the first start.
 */
export function isBackupDue(
  { enabled, at }: BackupSettings,
  { status, startedMs, nowMs }: { status: BackupStatus | undefined; startedMs: number; nowMs: number },
): boolean {
  if (!enabled) return false;
  if (status === undefined) return nowMs - startedMs >= FIRST_AFTER_MS;
  if (status.why !== undefined && nowMs - status.triedAtMs >= RETRY_MS) return true;
  return status.triedAtMs < lastMoment(at, nowMs);
}

/** The last time it was this time of day, UTC. */
function lastMoment(at: string, nowMs: number): number {
  const [hours = 0, minutes = 0] = at.split(':').map(Number);
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS + (hours * 60 + minutes) * 60_000;
  return today <= nowMs ? today : today - DAY_MS;
}

/** A backup's file name; names sort by age. */
export function backupName(atMs: number): string {
  const stamp = new Date(atMs).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `control-database-${stamp}.age`;
}

/** Of the files in a folder, the backups that are too many, oldest first; other files are nobody's business. */
export function surplusBackups(names: readonly string[], kept: number): string[] {
  const own = names.filter((name) => /^control-database-\d{8}T\d{6}Z\.age$/.test(name)).sort();
  return own.slice(0, Math.max(0, own.length - kept));
}

/** How the backups are: `good`, `failed` with why, `late` when none was made for more than a day, `none` yet, `off`. */
export function backupState(
  { enabled }: BackupSettings,
  status: BackupStatus | undefined,
  nowMs: number,
): { readonly state: 'good' | 'failed' | 'late' | 'none' | 'off'; readonly text: string } {
  const good = status?.good;
  const last = good === undefined ? 'there is none' : `the last good one is ${good.file}, of ${formatTime(good.atMs)}`;
  if (!enabled) return { state: 'off', text: `nightly backups are turned off; ${last}` };
  if (status === undefined) return { state: 'none', text: 'the first backup is made ten minutes after the start' };
  if (status.why !== undefined) {
    return { state: 'failed', text: `the backup of ${formatTime(status.triedAtMs)} failed: ${status.why}; ${last}` };
  }
  if (good !== undefined && nowMs - good.atMs > LATE_MS) return { state: 'late', text: `no backup for a day; ${last}` };
  return { state: 'good', text: last };
}

function formatTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16)}Z`;
}
