import { resolve } from 'node:path';
import type { Command } from 'commander';
import { lossesOf } from '../../core/data-import.ts';
import { dataPartNames } from '../../core/data-parts.ts';
import { systemClock } from '../../platform/clock.ts';
import { type Imported, importPlatform, resumeImport } from '../data/import.ts';
import type { WantedParts } from '../data/import-checks.ts';
import { inWords } from '../data/other-controllers.ts';
import { readPassphrase } from '../data/passphrase.ts';
import { findPendingSwitch, type PendingSwitch } from '../data/switch.ts';
import { refuseUnfinished } from '../data/unfinished.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { countContents } from '../store/imported-rows.ts';
import { formatElapsed, type Terminal } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

const MB = 1_048_576;

type Flags = WantedParts & { passphraseStdin?: boolean; force?: boolean };

/** `kato data import`. */
export function importCommand(group: Command, context: CommandContext): void {
  withFlags(group.command('import'))
    .option('--only <parts...>', `these parts alone; there are ${dataPartNames.join(', ')}`)
    .option('--without <parts...>', 'leave these parts as they are here')
    .summary("makes an archive's data this platform's")
    .description(
      describe(
        "Replaces this platform's users, apps and settings by those of an archive. Domain, addresses, ports, certificates and nodes stay this platform's own; apps answer on its domain. Cut short, the same command finishes it.",
        'kato data import /mnt/safe/stackato.age',
        'kato data import stackato.age --without settings --passphrase-stdin < passphrase',
      ),
    )
    .action((file: string, flags: Flags, command: Command) => run({ file, flags, command, context }, 'data'));
}

/** `kato data restore`. */
export function restoreCommand(group: Command, context: CommandContext): void {
  withFlags(group.command('restore'))
    .summary('makes this machine the Core that an archive is of')
    .description(
      describe(
        'Makes this machine the Core of the very cluster that an archive or a nightly backup is of: its data, domain, keys and certificates, at this machine’s address. The other nodes find it by the address, or are told: kato node reattach. Cut short, the same command finishes it.',
        'kato node setup core api.cloud.example.com --yes && kato data restore /mnt/safe/stackato.age',
      ),
    )
    .action((file: string, flags: Flags, command: Command) => run({ file, flags, command, context }, 'identity'));
}

function withFlags(command: Command): Command {
  return command
    .argument('<file>', 'an archive')
    .option('--passphrase-stdin', 'read the passphrase from standard input')
    .option('-f, --force', 'replace what is here without asking');
}

type Run = { file: string; flags: Flags; command: Command; context: CommandContext };

async function run({ file, flags, command, context }: Run, takes: PendingSwitch['takes']): Promise<void> {
  const terminal = terminalOf(command);
  const node = await openNode();
  const lifecycle = { say: terminal.say, signal: context.signal };
  const pending = await findPendingSwitch(node.paths);
  if (pending !== undefined) {
    requireSame(pending, resolve(file), takes);
    const controllersAway = await resumeImport(node, pending, lifecycle);
    const text = ['finished', ...inWords(controllersAway)].join('\n');
    terminal.result(text, { archive: pending.archive, resumed: true, controllersAway });
    if (controllersAway.length > 0) context.outcome.code = 1;
    return;
  }
  await refuseUnfinished(node.paths);
  const passphrase = await readPassphrase(terminal, { isStdin: flags.passphraseStdin ?? false, isNew: false });
  const startedMs = systemClock.nowMs();
  const done = await importPlatform(node, {
    ...{ ...lifecycle, file: resolve(file), passphrase, takes, wanted: flags, progress: progressOf(terminal) },
    confirm: async (server, left) => {
      if (!flags.force) await confirm(terminal, lossesOf(await countContents(server), left));
    },
  });
  terminal.result(linesOf(done, systemClock.nowMs() - startedMs).join('\n'), done);
  if (done.controllersAway.length > 0) context.outcome.code = 1;
}

/** Whatever was begun is finished before anything else is. */
function requireSame(pending: PendingSwitch, file: string, takes: PendingSwitch['takes']): void {
  if (pending.archive === file && pending.takes === takes) return;
  const name = pending.takes === 'data' ? 'import' : 'restore';
  throw new Refusal(
    `the ${name} of ${pending.archive} was cut short half-way`,
    `finish it first: kato data ${name} ${pending.archive}`,
  );
}

async function confirm(terminal: Terminal, losses: string | undefined): Promise<void> {
  if (losses === undefined) return;
  const refusal = new Refusal(
    `this platform has ${losses}; nothing was changed`,
    'export them first (kato data export), then repeat with --force',
  );
  if (!terminal.isInteractive) throw refusal;
  const { confirm: ask, isCancel } = await import('@clack/prompts');
  const answer = await ask({ message: `This platform has ${losses}. Go on?`, initialValue: false });
  if (isCancel(answer) || !answer) throw refusal;
}

function linesOf(done: Imported, tookMs: number): string[] {
  const made = new Date(done.madeAtMs).toISOString();
  return [
    `imported ${done.parts.join(', ')} of ${done.from} as of ${made}, ${done.blobs} blobs, in ${formatElapsed(tookMs)}`,
    ...(done.expired > 0 ? [`${done.expired} packages, droplets or buildpacks are without their content`] : []),
    ...(done.keptRoutes > 0 ? [`${done.keptRoutes} routes stay on ${done.from}: the domain here has the same`] : []),
    ...inWords(done.controllersAway),
  ];
}

/** Says how far it has come, at most once a second. */
export function progressOf(terminal: Terminal): (doneBytes: number, ofBytes: number) => void {
  let saidMs = systemClock.nowMs();
  return (done, of) => {
    const nowMs = systemClock.nowMs();
    if (nowMs - saidMs < 1000) return;
    saidMs = nowMs;
    terminal.progress(`${formatMb(done)} of ${formatMb(of)}`);
  };
}

/** `3.4 MB`, `120 MB`. */
export function formatMb(bytes: number): string {
  return `${(bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0)} MB`;
}
