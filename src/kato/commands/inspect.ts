import type { Command } from 'commander';
import { platformVersion } from '../../contract/version.ts';
import { backupState } from '../../core/backup-plan.ts';
import {
  type Finding,
  judgeBackups,
  judgeBusServer,
  judgeCertificates,
  judgeClock,
  judgeDisks,
  judgeFeatures,
  judgeMemory,
  judgeNames,
  judgePorts,
  judgeProcesses,
  judgeSecrets,
  judgeUnfinished,
  judgeVersions,
} from '../../core/inspection.ts';
import { portsOf } from '../../core/port-table.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { closest } from '../../core/spelling.ts';
import { systemClock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { listListeners } from '../../platform/listeners.ts';
import { isProcessOf } from '../../supervisor/orphans.ts';
import { findBackupStatus } from '../data/backup.ts';
import { unfinishedData } from '../data/unfinished.ts';
import { certificateFacts } from '../inspect/certificate-facts.ts';
import { clockSkewMs, frontAddresses, nameFacts, nodeVersions } from '../inspect/cluster-facts.ts';
import { diskFacts, featureFacts, hasTimeService, memoryFacts, openSecrets } from '../inspect/machine-facts.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** A busy machine is slow, which is not the same as unwell. */
const ANSWER_MS = 5000;

type Check = (node: Node, probe: ReadinessProbe) => Promise<Finding[]>;

const checks: Readonly<Record<string, Check>> = {
  processes: async (node, probe) => judgeProcesses(await probe.look(listProcesses(node.file), ANSWER_MS)),
  clock: async (node) => judgeClock({ skewMs: await clockSkewMs(node), hasTimeService: await hasTimeService() }),
  disk: async (node) => judgeDisks(await diskFacts(node)),
  memory: async () => judgeMemory(await memoryFacts()),
  ports: inspectPorts,
  names: async (node) => judgeNames(await nameFacts(node), node.config.cluster.domain, await frontAddresses(node)),
  certificates: async (node) => judgeCertificates(await certificateFacts(node), systemClock.nowMs()),
  data: async ({ paths }) => judgeUnfinished(await unfinishedData(paths)),
  backups: async ({ file, paths, config }) =>
    file.roles.includes('primary')
      ? judgeBackups(backupState(config.backup, await findBackupStatus(paths), systemClock.nowMs()))
      : [],
  secrets: async (node) => judgeSecrets(await openSecrets(node)),
  versions: async (node, probe) => [
    ...judgeVersions(platformVersion, await nodeVersions(node, probe)),
    ...(node.file.roles.includes('primary')
      ? judgeBusServer((await exec(['/usr/sbin/nats-server', '--version'])).stdout)
      : []),
  ],
  kernel: async (node) => judgeFeatures(await featureFacts(node)),
};

/** `kato inspect`. */
export function inspectCommand(program: Command, context: CommandContext): void {
  program
    .command('inspect')
    .argument('[check...]', `of ${Object.keys(checks).join(', ')}; all of them without a name`)
    .summary('looks for common problems, and says what to do')
    .description(
      describe(
        'Looks for common problems of this node. Each has its remedy; the exit code is 1 when something is wrong.',
        'kato inspect',
        'kato inspect clock certificates',
        'kato inspect --json',
      ),
    )
    .action(async (names: string[], _options: unknown, command: Command) => {
      const wanted = names.length === 0 || names.includes('all') ? Object.keys(checks) : names;
      for (const name of wanted) requireCheck(name);
      const node = await openNode();
      await using probe = new ReadinessProbe(node);
      const findings = await inspectNode(node, probe, wanted);
      terminalOf(command).result(format(findings), findings);
      if (findings.some(({ state }) => state === 'wrong')) context.outcome.code = 1;
    });
}

/** What these checks find; all of them when none is named. */
export async function inspectNode(
  node: Node,
  probe: ReadinessProbe,
  names: readonly string[] = Object.keys(checks),
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of names) findings.push(...((await checks[name]?.(node, probe)) ?? []));
  return findings;
}

async function inspectPorts({ file, config, paths }: Node): Promise<Finding[]> {
  const listeners = await listListeners();
  const own = new Set<number>();
  for (const pid of new Set(listeners.map((one) => one.pid))) {
    if (pid > 0 && ((await isProcessOf(paths.state, pid)) || (await isSupervisor(paths.supervisor, pid)))) own.add(pid);
  }
  return judgePorts(listeners, {
    uses: portsOf(file, config),
    nodeAddress: file.address,
    isOwn: ({ pid }) => own.has(pid),
  });
}

/** The supervisor is started by hand or at boot, and does not have the environment of what it starts. */
async function isSupervisor(folder: string, pid: number): Promise<boolean> {
  return ((await readTextIfExists(`/proc/${pid}/cmdline`)) ?? '').includes(`${folder}/`);
}

function requireCheck(name: string): void {
  if (Object.hasOwn(checks, name)) return;
  const meant = closest(name, Object.keys(checks));
  throw new Refusal(
    `there is no check '${name}'${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    `checks: ${Object.keys(checks).join(', ')}`,
  );
}

const WORDS = { ok: 'ok', warning: 'WARNING', wrong: 'WRONG' } as const;

function format(findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ state, check, what, next }) => [
    [WORDS[state], check, what],
    ...(next === undefined ? [] : [['', '', `→ ${next}`]]),
  ]);
  const count = (state: Finding['state']) => findings.filter((one) => one.state === state).length;
  return `${table([['', 'CHECK', 'FINDING'], ...rows])}\n\n${count('wrong')} wrong, ${count('warning')} to look at, ${count('ok')} right`;
}
