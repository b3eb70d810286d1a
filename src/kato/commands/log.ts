import type { Command } from 'commander';
import type { Bus } from '../../bus/bus.ts';
import { subjects } from '../../contract/subjects.ts';
import { listProcesses, processPlans } from '../../core/role-plan.ts';
import { closest } from '../../core/spelling.ts';
import { formatSystemLine, readSystemLine, type SystemLine } from '../../core/system-line.ts';
import { slept, systemClock } from '../../platform/clock.ts';
import { LogFiles } from '../log-files.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { findTopology } from '../topology-file.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { drainCommand } from './log-drain.ts';
import { streamCommand } from './log-stream.ts';

const LOOK_EVERY_MS = 300;

type Flags = { lines: string; follow: boolean };
type Show = (line: SystemLine, nodeId: string) => void;

/** `kato log tail | stream | drain`. */
export function logCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('log')
    .summary("logs of the platform's own processes, and where logs are sent")
    .description(
      describe(
        "Logs of the platform's own processes and of apps.",
        'kato log tail dea router',
        'kato log stream apptail',
        'kato log drain add central tcp://logs.example.com:514/?format=syslog',
      ),
    );
  streamCommand(group, context);
  drainCommand(group);
  group
    .command('tail')
    .argument('[component...]', 'processes or roles; all without any')
    .option('-l, --lines <number>', 'so many of the last lines of this node first', '10')
    .option('--no-follow', 'end after those')
    .summary('follows them')
    .description(
      describe(
        "Shows the last lines of this node's processes, then those that come, until it is interrupted. On the Core it follows the processes of every node.",
        'kato log tail',
        'kato log tail dea router',
        'kato log tail controller -l 100 --no-follow',
      ),
    )
    .action(async (components: string[], { lines, follow }: Flags, command: Command) => {
      const count = Number(lines);
      if (!Number.isSafeInteger(count) || count < 0 || count > 10_000) {
        throw new Refusal(`'${lines}' is no number of lines`, 'from 0 to 10000');
      }
      const node = await openNode();
      const files = new LogFiles(node.paths.log);
      const isWanted = await choose(components, files);
      const show = await shower(node, terminalOf(command));
      const last = (await files.read()).filter(({ process }) => isWanted(process));
      for (const line of last.slice(last.length - Math.min(count, last.length))) show(line, node.file.id);
      if (!follow) return;
      await using probe = new ReadinessProbe(node);
      const bus = node.file.roles.includes('primary') && !node.file.isMicro ? await probe.bus() : undefined;
      using _others = bus && hearOthers(bus, node.file.id, (line, from) => isWanted(line.process) && show(line, from));
      tell(node, bus, terminalOf(command));
      while (await slept(systemClock, LOOK_EVERY_MS, context.signal)) {
        for (const line of await files.read()) if (isWanted(line.process)) show(line, node.file.id);
      }
    });
}

/** Which processes are meant. @throws Refusal for a name that is neither a process, a role nor a log of this node */
async function choose(components: readonly string[], files: LogFiles): Promise<(process: string) => boolean> {
  if (components.length === 0) return () => true;
  const processes = [...new Set([...processPlans.map(({ name }) => name), ...(await files.names())])];
  const roles = [...new Set(processPlans.map(({ role }) => role as string))];
  const wanted = components.flatMap((name) => {
    const ofRole = listProcesses({ roles: [name] }).map((plan) => plan.name);
    if (processes.includes(name)) return roles.includes(name) ? [name, ...ofRole] : [name];
    if (ofRole.length > 0) return ofRole;
    const near = closest(name, [...processes, ...roles]);
    throw new Refusal(
      `there is no component '${name}'${near === undefined ? '' : `; did you mean ${near}?`}`,
      `one of ${[...new Set([...processes, ...roles])].sort().join(', ')}`,
    );
  });
  return (process) => wanted.includes(process);
}

/** Prints a line; where there are several nodes, with the address of its own. */
async function shower({ paths, file }: Node, terminal: Terminal): Promise<Show> {
  const topology = file.isMicro ? undefined : await findTopology(paths);
  const names = new Map(topology?.nodes.map(({ id, address }) => [id, address]));
  return (line, nodeId) => {
    const address = names.get(nodeId) ?? (nodeId === file.id ? file.address : nodeId.slice(0, 8));
    const { process, level, text } = line;
    const time = line.atMs === undefined ? undefined : new Date(line.atMs).toISOString();
    const value = { node: address, process, ...(time && { time }), ...(level && { level }), text };
    terminal.result(formatSystemLine(line, names.size > 1 ? address : undefined), value);
  };
}

function hearOthers(bus: Bus, ownId: string, show: Show): Disposable {
  return bus.subscribe(subjects.systemLog, ['*'], ({ node, process, lines }) => {
    if (node === ownId) return;
    for (const line of lines) show(readSystemLine(process, line), node);
  });
}

function tell({ file }: Node, bus: Bus | undefined, terminal: Terminal): void {
  if (file.isMicro) return;
  if (!file.roles.includes('primary')) {
    terminal.say(`these are the lines of this node; the Core (${file.coreAddress}) follows all nodes`);
    return;
  }
  if (bus === undefined) terminal.say('the bus does not answer, so lines of other nodes are missing: kato status');
}
