import type { ClusterConfig } from '../contract/config.ts';
import type { BackupStatus } from '../contract/data-archive.ts';
import { isBackupDue } from '../core/backup-plan.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const LOOK_EVERY_MS = 30_000;
const RETRY_MS = 3_600_000;

export type BackupKeeperOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => Promise<ClusterConfig['backup']>;
  readonly status: () => Promise<BackupStatus | undefined>;
  /** Makes a backup; it remembers itself how that went. Gives its exit code. */
  readonly backUp: () => Promise<number>;
};

/** Has the control database backed up every night, on the node that keeps it. */
export class BackupKeeper implements Disposable {
  readonly #options: BackupKeeperOptions;
  readonly #startedMs: number;
  readonly #timer: Disposable;
  #looking: Promise<void> | undefined;
  /** When one ended without remembering how that went; it is not repeated at once. */
  #cutShortMs = -RETRY_MS;

  constructor(options: BackupKeeperOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#timer = options.clock.every(LOOK_EVERY_MS, () => this.look());
  }

  /** Makes a backup when one is due; one at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** A backup on its way is a command of its own, and goes on. */
  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  async #look(): Promise<void> {
    const { clock, log, settings, status, backUp } = this.#options;
    try {
      const before = await status();
      const nowMs = clock.nowMs();
      if (nowMs - this.#cutShortMs < RETRY_MS) return;
      if (!isBackupDue(await settings(), { status: before, startedMs: this.#startedMs, nowMs })) return;
      log.info('starts-backup');
      const code = await backUp();
      const after = await status();
      const isTold = after !== undefined && after.triedAtMs !== before?.triedAtMs;
      if (!isTold) this.#cutShortMs = nowMs;
      if (code === 0) log.info('made-backup', { ...after?.good });
      else log.error('failed-backup', { code, why: (isTold && after.why) || 'it ended before it said why' });
    } catch (error) {
      log.error('failed-backup', { error });
    }
  }
}
