import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupStatus } from '../../contract/data-archive.ts';
import { decode } from '../../contract/decode.ts';
import { backupName, surplusBackups } from '../../core/backup-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { isMissing, readJsonIfExists, writeFileAtomic } from '../../platform/files.ts';
import type { Paths } from '../../platform/paths.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readOrMakeSecrets } from '../setup/secrets.ts';
import { exportPlatform } from './export.ts';
import { machineLogN } from './passphrase.ts';

/** What a backup wrote, and which older ones went. */
export type BackedUp = { readonly file: string; readonly bytes: number; readonly removed: readonly string[] };

/** Backs the control database up, encrypted, and remembers how that went; the oldest backups go. */
export async function backUp(node: Node, signal: AbortSignal): Promise<BackedUp> {
  const { paths } = node;
  const triedAtMs = systemClock.nowMs();
  const before = await findBackupStatus(paths);
  const remember = (status: Partial<BackupStatus>) =>
    writeFileAtomic(paths.backupStatus, `${JSON.stringify({ triedAtMs, ...status })}\n`, 0o600);
  try {
    const done = await write(node, triedAtMs, signal);
    await remember({ good: { atMs: triedAtMs, file: done.file, bytes: done.bytes } });
    return done;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    await remember({ why, ...(before?.good === undefined ? {} : { good: before.good }) });
    throw error;
  }
}

/** How the last backup went; undefined before the first. */
export async function findBackupStatus({ backupStatus }: Paths): Promise<BackupStatus | undefined> {
  const value = await readJsonIfExists(backupStatus);
  return value === undefined ? undefined : decode(BackupStatus, value, backupStatus);
}

/** What the backups of this platform are encrypted with. */
export async function readBackupPassphrase({ paths }: Node): Promise<string> {
  return (await readOrMakeSecrets(paths)).backupPassphrase;
}

async function write(node: Node, atMs: number, signal: AbortSignal): Promise<BackedUp> {
  const { backup } = node.config;
  const folder = await openFolder(node);
  const { file, bytes } = await exportPlatform(node, {
    ...{ file: join(folder, backupName(atMs)), kind: 'database', parts: ['control-database', 'users', 'settings'] },
    ...{ passphrase: await readBackupPassphrase(node), logN: machineLogN, signal },
    ...{ say: () => {}, progress: () => {} },
  });
  const removed = surplusBackups(await readdir(folder), backup.kept).map((name) => join(folder, name));
  for (const path of removed) await rm(path, { force: true });
  return { file, bytes, removed };
}

/** One of the operator's is never made: without the disk that belongs there it would be on this one. */
async function openFolder({ config, paths }: Node): Promise<string> {
  const { folder } = config.backup;
  if (folder === '') {
    await mkdir(paths.backups, { recursive: true, mode: 0o700 });
    return paths.backups;
  }
  try {
    if ((await stat(folder)).isDirectory()) return folder;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  throw new Refusal(`there is no folder ${folder} for backups`, 'mount it, or: kato config set backup.folder PATH');
}
