import type { Command } from 'commander';
import { listProcesses, type ProcessPlan, resolveRoles } from '../../core/role-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { keepAddress } from '../cluster/update.ts';
import { finishData } from '../data/unfinished.ts';
import { restartProcesses, startProcesses, stopNode, stopProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { BusIsAway } from '../readiness.ts';
import { formatRefusal, Refusal } from '../refusal.ts';
import { finishRegeneration } from '../regenerate.ts';
import { readRoleGroups } from '../role-groups.ts';
import { refreshAddress } from '../setup/state-folder.ts';
import { formatElapsed, type Terminal } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato start`, `kato stop` and `kato restart`. */
export function lifecycleCommands(program: Command, context: CommandContext): void {
  add(program, 'start', 'starts roles, all without a name, and waits until they are ready', async (roles, tell) => {
    const addressed = await openAddressed();
    await finishRegeneration(addressed, { say: tell.say, signal: context.signal });
    const node = await finishData(addressed, { say: tell.say, signal: context.signal });
    await startProcesses(node, await plansOf(node, roles), { say: tell.say, signal: context.signal });
    return 'READY';
  });
  add(program, 'stop', 'stops roles; without a name everything on this node, apps too', async (roles, tell) => {
    const node = await openNode();
    const options = { say: tell.say, signal: context.signal };
    if (roles.length === 0) await stopNode(node, options);
    else await stopProcesses(node, await plansOf(node, roles), options);
    return 'STOPPED';
  });
  add(program, 'restart', 'restarts roles; apps go on running and being routed', async (roles, tell) => {
    const node = await openAddressed();
    await restartProcesses(node, await plansOf(node, roles), { say: tell.say, signal: context.signal });
    return 'READY';
  });
}

type Action = (roles: readonly string[], terminal: Terminal) => Promise<string>;

function add(program: Command, name: string, what: string, action: Action): void {
  program
    .command(name)
    .argument('[role...]')
    .summary(what)
    .description(
      describe(`${what.charAt(0).toUpperCase()}${what.slice(1)}.`, `kato ${name}`, `kato ${name} dea router`),
    )
    .action(async (roles: string[], _options: unknown, command: Command) => {
      const terminal = terminalOf(command);
      const startedMs = systemClock.nowMs();
      const { state, because } = await orWaiting(() => action(roles, terminal));
      const tookMs = systemClock.nowMs() - startedMs;
      const text = `${state} (${formatElapsed(tookMs)})${because === undefined ? '' : `: ${because}`}`;
      terminal.result(text, { state, roles, tookMs, ...(because === undefined ? {} : { because }) });
    });
}

/** What was started and waits for the Core's bus alone is WAITING: nothing more can be done here, also not at boot. */
export async function orWaiting(act: () => Promise<string>): Promise<{ state: string; because?: string }> {
  try {
    return { state: await act() };
  } catch (error) {
    if (error instanceof BusIsAway) return { state: 'WAITING', because: formatRefusal(error) };
    throw error;
  }
}

/** A machine that was moved to another network goes by its new address; the Core must be told which one that is. */
async function openAddressed(): Promise<Node> {
  const node = await openNode();
  if (!node.file.isMicro) return keepAddress(node);
  return (await refreshAddress(node)) ? openNode() : node;
}

/** The processes of these roles on this node; all of them when none is named. */
export async function plansOf(node: Node, names: readonly string[]): Promise<ProcessPlan[]> {
  if (names.length === 0) return listProcesses(node.file);
  const roles = resolveRoles(names, await readRoleGroups(node.paths));
  if ('refused' in roles) throw new Refusal(roles.refused);
  const missing = roles.filter((role) => !node.file.roles.includes(role));
  if (missing.length > 0) {
    throw new Refusal(
      `this node does not have the role${missing.length > 1 ? 's' : ''} ${missing.join(', ')}; it has ${node.file.roles.join(', ')}`,
      `run \`kato role add ${missing.join(' ')}\``,
    );
  }
  return listProcesses({ ...node.file, roles });
}
