import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { chooseParts, dataPartNames } from '../../core/data-parts.ts';
import { systemClock } from '../../platform/clock.ts';
import { isMissing } from '../../platform/files.ts';
import { readArchive } from '../data/archive-reader.ts';
import { exportPlatform } from '../data/export.ts';
import type { WantedParts } from '../data/import-checks.ts';
import { peopleLogN, readPassphrase } from '../data/passphrase.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { formatElapsed } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { backupCommands } from './data-backup.ts';
import { formatMb, importCommand, progressOf, restoreCommand } from './data-import.ts';
import { repairCommand } from './data-repair.ts';

/** `kato data export | check | import | restore | backup | passphrase | repair`. */
export function dataCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('data')
    .summary("the platform's data: archives and backups")
    .description(
      describe(
        "Writes the platform's data to archives, checks them, and takes them back. Run on the Core node.",
        'kato data export /mnt/safe/stackato.age',
        'kato data import /mnt/safe/stackato.age',
      ),
    );
  exportCommand(group, context);
  checkCommand(group, context);
  importCommand(group, context);
  restoreCommand(group, context);
  backupCommands(group, context);
  repairCommand(group);
}

type ExportFlags = WantedParts & { passphraseStdin?: boolean; force?: boolean };

function exportCommand(group: Command, context: CommandContext): void {
  group
    .command('export')
    .argument('<file>', 'where to; the archive is readable for root alone')
    .option('--only <parts...>', `these parts alone; there are ${dataPartNames.join(', ')}`)
    .option('--without <parts...>', 'leave these parts out')
    .option('--passphrase-stdin', 'read the passphrase from standard input')
    .option('-f, --force', 'replace the file')
    .summary('writes everything to one encrypted file')
    .description(
      describe(
        'Writes users, apps, packages, droplets, buildpacks, settings and secrets, as they are at one moment, to one encrypted file (age). Everything goes on meanwhile.',
        'kato data export /mnt/safe/stackato.age',
        'kato data export stackato.age --without packages,resources --passphrase-stdin < passphrase',
      ),
    )
    .action(async (file: string, flags: ExportFlags, command: Command) => {
      const terminal = terminalOf(command);
      const node = await openNode();
      const parts = chooseParts(flags);
      if ('refused' in parts) throw new Refusal(parts.refused, 'nothing was written');
      if (!flags.force) await refuseExisting(file);
      const passphrase = await readPassphrase(terminal, { isStdin: flags.passphraseStdin ?? false, isNew: true });
      const startedMs = systemClock.nowMs();
      const done = await exportPlatform(node, {
        ...{ file, kind: 'platform', parts, passphrase, logN: peopleLogN, signal: context.signal },
        ...{ say: terminal.say, progress: progressOf(terminal) },
      });
      const took = formatElapsed(systemClock.nowMs() - startedMs);
      for (const key of done.missing) terminal.say(`not there, so not in the archive: ${key}`);
      for (const key of done.damaged) terminal.say(`damaged in the blob store: ${key}`);
      const text = `${resolve(file)}: ${formatMb(done.bytes)}, ${done.blobs} blobs, in ${took}`;
      terminal.result(text, { ...done, file: resolve(file) });
    });
}

type ReadFlags = { passphraseStdin?: boolean };

function checkCommand(group: Command, context: CommandContext): void {
  group
    .command('check')
    .argument('<file>', 'an archive')
    .option('--passphrase-stdin', 'read the passphrase from standard input')
    .summary('reads an archive to its end, and tells what is in it')
    .description(
      describe(
        'Reads an archive to its end, and tells what is in it. Changes nothing, and needs no platform.',
        'kato data check /mnt/safe/stackato.age',
      ),
    )
    .action(async (file: string, flags: ReadFlags, command: Command) => {
      const terminal = terminalOf(command);
      const passphrase = await readPassphrase(terminal, { isStdin: flags.passphraseStdin ?? false, isNew: false });
      const { manifest, sound } = await readArchive(file, passphrase, {
        ...{ signal: context.signal, progress: progressOf(terminal) },
      });
      const { blobs, madeAtMs, ...rest } = manifest;
      const damaged = blobs.filter((blob) => !sound.includes(blob)).map(({ key }) => key);
      const value = { ...rest, madeAt: new Date(madeAtMs).toISOString(), blobs: blobs.length, damaged };
      const lines = [
        `archive     ${value.kind === 'platform' ? 'of the whole platform' : 'of the control database'}, whole`,
        `made        ${value.madeAt}, by version ${value.version}`,
        `domain      ${value.domain}`,
        `database    ${formatMb(value.databaseBytes)}`,
        `blobs       ${value.blobs}${value.left.length > 0 ? `, without ${value.left.join(', ')}` : ''}`,
        ...damaged.map((key) => `damaged     ${key}`),
        ...value.missing.map((key) => `missing     ${key}`),
      ];
      terminal.result(lines.join('\n'), value);
    });
}

async function refuseExisting(file: string): Promise<void> {
  try {
    await stat(file);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  throw new Refusal(`${resolve(file)} is there already`, 'name another file, or replace it with --force');
}
