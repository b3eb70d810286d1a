import type { Command } from 'commander';
import type { PayloadOf } from '../../contract/subject.ts';
import { subjects } from '../../contract/subjects.ts';
import type { TopologyNode } from '../../contract/topology.ts';
import { platformVersion } from '../../contract/version.ts';
import { backupState } from '../../core/backup-plan.ts';
import { type ProcessReport, reportRole, shutOut } from '../../core/process-status.ts';
import { listProcesses, listRoleProcesses } from '../../core/role-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { knownTopology } from '../cluster/registry-client.ts';
import { findBackupStatus } from '../data/backup.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { findUnfinishedSetUp } from '../setup/marks.ts';
import { coloured, table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

const GATHER_MS = 2000;

type NodeReport = PayloadOf<typeof subjects.nodeStatus>;

/** `kato status`. */
export function statusCommand(program: Command, context: CommandContext): void {
  program
    .command('status')
    .summary('the roles and whether they are ready')
    .description(describe('Shows the roles of this node and their state.', 'kato status', 'kato status --all --json'))
    .option('-a, --all', 'every node of the cluster')
    .action(async (options: { all?: boolean }, command: Command) => {
      const node = await openNode();
      await using probe = new ReadinessProbe(node);
      const own = ownReport(node, await probe.look(listProcesses(node.file)));
      const nodes = options.all ? await allNodes(node, probe, own) : [own];
      const value = nodes.map((one) => ({ ...one, roles: rolesOf(one) }));
      const backup = await findBackups(node);
      const texts = nodes.map((one) => formatNode(one, nodes.length > 1));
      if (backup !== undefined)
        texts.push(`backups: ${backup.state === 'good' ? '' : `${backup.state.toUpperCase()}: `}${backup.text}`);
      const hint = probe.isRefused() ? refusedHint(node, probe) : await findHint(node, own);
      if (hint !== undefined) texts.push(hint);
      const more = { ...(backup === undefined ? {} : { backup }), ...(hint === undefined ? {} : { hint }) };
      const withMore = value.map((one) => (one.node === own.node ? { ...one, ...more } : one));
      terminalOf(command).result(texts.join('\n\n'), options.all ? withMore : withMore[0]);
      if (hint !== undefined || nodes.some((one) => rolesOf(one).some(({ state }) => state !== 'READY')))
        context.outcome.code = 1;
    });
}

/** The Core shuts this node out: nothing that it starts can become ready. */
function refusedHint({ file }: Node, probe: ReadinessProbe): string | undefined {
  return file.roles.includes('primary') ? undefined : `${probe.whyAway()}: ${shutOut}`;
}

/** What this node waits for. */
async function findHint({ paths }: Node, { processes }: NodeReport): Promise<string | undefined> {
  const unfinished = await findUnfinishedSetUp(paths);
  if (unfinished !== undefined) return `set-up was not finished; run it again: ${unfinished}`;
  const runsNothing = processes.every(({ state }) => state === 'STOPPED');
  return runsNothing ? 'nothing of the platform runs on this machine; next: kato start' : undefined;
}

/** How the backups of the control database are, on the node that keeps it. */
async function findBackups({ file, paths, config }: Node) {
  if (!file.roles.includes('primary')) return undefined;
  return backupState(config.backup, await findBackupStatus(paths), systemClock.nowMs());
}

function ownReport(node: Node, processes: ProcessReport[]): NodeReport {
  const { id, address, roles } = node.file;
  return { node: id, address, version: platformVersion, roles, processes };
}

/** Every node of the cluster, those that do not answer too; this one counts as we see it ourselves. */
async function allNodes(node: Node, probe: ReadinessProbe, own: NodeReport): Promise<NodeReport[]> {
  const { nodes } = (await knownTopology(node)) ?? { nodes: [] };
  const bus = probe.whyAway() === undefined ? await probe.bus() : undefined;
  // Only the Core knows for sure who is in the cluster.
  const { isMicro, roles } = node.file;
  const isKnown = isMicro || roles.includes('primary');
  const expected = (replies: readonly NodeReport[]) =>
    isKnown && nodes.every(({ id }) => id === own.node || replies.some((one) => one.node === id));
  const found =
    bus === undefined ? [] : await bus.request(subjects.nodeFind, [], {}, { timeoutMs: GATHER_MS, expected });
  const others = found.filter((one) => one.node !== own.node);
  const heard = new Set([own.node, ...others.map((one) => one.node)]);
  const why = probe.whyAway() === undefined ? 'the node does not answer' : `can not be asked: ${probe.whyAway()}`;
  const silent = nodes.filter(({ id }) => !heard.has(id)).map((one) => silentNode(one, why));
  return [own, ...others, ...silent].sort((a, b) => indexIn(nodes, a) - indexIn(nodes, b));
}

/** A node of the cluster that did not answer: nothing is known of its processes. */
function silentNode({ id, address, roles }: TopologyNode, description: string): NodeReport {
  const processes = listProcesses({ roles }).map(({ name }) => ({
    ...{ name, state: 'UNKNOWN', pid: 0, uptime_s: 0, ready: false },
    description,
  }));
  return { node: id, address, version: '', roles, processes };
}

function indexIn(nodes: readonly TopologyNode[], report: NodeReport): number {
  return nodes.findIndex(({ id }) => id === report.node);
}

function rolesOf({ roles, processes }: NodeReport): { role: string; state: string; processes: string[] }[] {
  return roles.map((role) => {
    const names = listRoleProcesses(role).map(({ name }) => name);
    const own = processes.filter(({ name }) => names.includes(name));
    return { role, state: reportRole(own), processes: names };
  });
}

function formatNode(report: NodeReport, isNamed: boolean): string {
  const rows = rolesOf(report).map(({ role, state }) => {
    const names = listRoleProcesses(role).map(({ name }) => name);
    const late = report.processes.filter(({ name, ready }) => names.includes(name) && !ready && state !== 'STOPPED');
    const why = Object.entries(
      Object.groupBy(
        late,
        ({ state: is, description }) => `${is.toLowerCase()}${description ? `, ${description}` : ''}`,
      ),
    ).map(([what, same = []]) => `${same.map(({ name }) => name).join(', ')} ${what}`);
    return [role, coloured(state.padEnd(8)), why.join('; ')];
  });
  return `${isNamed ? `${report.address} (${report.node.slice(0, 8)})\n` : ''}${table([['ROLE', 'STATE', ''], ...rows])}`;
}
