import type { Command } from 'commander';
import { roleNames } from '../../contract/node.ts';
import type { Upgrade } from '../../contract/release.ts';
import { defaultRoleOrder, nextNode } from '../../core/upgrade-plan.ts';
import { openNode, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { ensureConsole } from '../setup/console.ts';
import { type Terminal, table } from '../terminal.ts';
import { finishUpgrade } from '../upgrade/finish.ts';
import { packRelease } from '../upgrade/release-archive.ts';
import { findUpgrade, type RolloutOptions, runUpgrade } from '../upgrade/rollout.ts';
import { upgradeHere } from '../upgrade/upgrade-here.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

type Flags = {
  prepare?: string;
  status?: boolean;
  resume?: boolean;
  roleOrder?: string;
  offline?: boolean;
  evacuate: boolean;
  force?: boolean;
  here?: string;
  finish?: boolean;
  check?: boolean;
};

/** `kato node upgrade`. */
export function upgradeCommand(group: Command, context: CommandContext): void {
  group
    .command('upgrade')
    .argument('[release]', 'archive of the new version')
    .option('--prepare <file>', 'write the archive of this version: run it where the new version is')
    .option('--status', 'how far the upgrade is')
    .option('--resume', 'go on with it')
    .option(
      '--role-order <roles>',
      `which nodes come first, by roles with commas (default: ${defaultRoleOrder.join(',')})`,
    )
    .option('--offline', 'fetch nothing from the network: Debian packages must be there')
    .option('--no-evacuate', 'leave instances on DEAs while they restart, which they outlive')
    .option('-f, --force', 'take an older version too, or leave an upgrade that has not ended')
    .option('--here <sha256>', 'this node only, to the release that the Core holds')
    .option('--finish', 'the last part of --here, which the new version does')
    .option('--check', 'with --here or --finish: only see that nothing is missing')
    .summary('upgrades the cluster, one node after the other')
    .description(
      describe(
        'Upgrades every node of the cluster, one after the other, from the Core. The instances of a DEA move to others first.\nStops at the first node that fails; --resume goes on there.',
        'bin/kato node upgrade --prepare /tmp/stackato.tar.gz   # in the folder of the new version',
        'kato node upgrade /tmp/stackato.tar.gz',
        'kato node upgrade --status',
        'kato node upgrade --resume',
      ),
    )
    .action(async (release: string | undefined, flags: Flags, command: Command) => {
      requireRoot();
      const terminal = terminalOf(command);
      const { signal } = context;
      const offline = flags.offline ?? false;
      const isCheck = flags.check ?? false;
      if (flags.finish) return finishUpgrade({ offline, isCheck }, { terminal, signal });
      if (flags.prepare !== undefined) return prepare(flags.prepare, { terminal, signal });
      const node = await openNode();
      if (flags.here !== undefined) {
        if (!/^[0-9a-f]{64}$/.test(flags.here))
          throw new Refusal('--here takes the digest of a release: 64 hex digits');
        const options = { sha256: flags.here, evacuates: flags.evacuate, offline, isCheck };
        return upgradeHere(node, options, { terminal, signal });
      }
      if (flags.status) return tell(await findUpgrade(node.paths), terminal);
      if (release !== undefined && flags.resume) throw new Refusal('--resume goes on with the release it began with');
      if (release === undefined && !flags.resume) {
        throw new Refusal('no release was named', 'kato node upgrade FILE, made with --prepare by the new version');
      }
      const options = release === undefined ? undefined : rolloutOptions(release, flags);
      context.outcome.code = await runUpgrade(node, options, { terminal, signal });
      const upgrade = await findUpgrade(node.paths);
      if (upgrade !== undefined && nextNode(upgrade) === undefined && release !== undefined) tell(upgrade, terminal);
    });
}

function rolloutOptions(path: string, { roleOrder, offline = false, evacuate, force = false }: Flags): RolloutOptions {
  return { path, roleOrder: rolesOf(roleOrder), offline, evacuates: evacuate, isForced: force };
}

async function prepare(path: string, { terminal, signal }: { terminal: Terminal; signal: AbortSignal }): Promise<void> {
  await ensureConsole(signal);
  const release = await packRelease(path);
  terminal.result(`version ${release.version} for ${release.arch}: ${path}`, { ...release, path });
}

function rolesOf(text: string | undefined): readonly string[] {
  if (text === undefined) return defaultRoleOrder;
  const names = text.split(',').filter(Boolean);
  const unknown = names.find((name) => !(roleNames as readonly string[]).includes(name));
  if (unknown === undefined) return names;
  throw new Refusal(`--role-order: there is no role '${unknown}'`, 'kato role info');
}

function tell(upgrade: Upgrade | undefined, terminal: Terminal): void {
  if (upgrade === undefined) {
    terminal.result('no upgrade was begun', null);
    return;
  }
  const { release, nodes } = upgrade;
  const rows = nodes.map(({ address, state, because }) => [address, state, because ?? '']);
  terminal.result(`version ${release.version}\n${table([['NODE', 'STATE', ''], ...rows])}`, upgrade);
}
