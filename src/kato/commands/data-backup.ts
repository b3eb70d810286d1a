import type { Command } from 'commander';
import { backUp, readBackupPassphrase } from '../data/backup.ts';
import { requireCore } from '../data/server.ts';
import { openNode } from '../node.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { formatMb } from './data-import.ts';

/** `kato data backup | passphrase`. */
export function backupCommands(group: Command, context: CommandContext): void {
  group
    .command('backup')
    .summary('backs the control database up now, as every night')
    .description(
      describe(
        'Writes the control database (users, apps, settings, keys; no packages and droplets) to an encrypted file in the folder of the backups. `backup.at`, `.folder`, `.kept` and `.enabled` say when, where, how many and whether this happens every night.',
        'kato data backup',
        'kato config set backup.folder /mnt/safe',
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const done = await backUp(await openNode(), context.signal);
      terminalOf(command).result(`${done.file}: ${formatMb(done.bytes)}`, done);
    });
  group
    .command('passphrase')
    .summary('shows what the backups are encrypted with')
    .description(
      describe(
        'Shows the passphrase of the nightly backups. Keep it elsewhere: without it they are worth nothing when this machine is lost.',
        'kato data passphrase',
        'kato data passphrase | kato data import BACKUP --passphrase-stdin --force',
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const node = await openNode();
      requireCore(node);
      const passphrase = await readBackupPassphrase(node);
      terminalOf(command).result(passphrase, { passphrase });
    });
}
