import type { Command } from 'commander';
import { listProcesses, type ProcessPlan } from '../../core/role-plan.ts';
import { closest } from '../../core/spelling.ts';
import { runOnNodes } from '../cluster/fan-out.ts';
import { restartProcesses, startProcesses, stopProcesses, withSharers } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { coloured, table } from '../terminal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { orWaiting } from './lifecycle.ts';

const FOR_EVER_MS = 10 * 365 * 86_400_000;

/** `kato process list | start | stop | restart | ready`. */
export function processCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('process')
    .summary('single processes')
    .description(describe('Shows and steers single processes.', 'kato process list', 'kato process restart logyard'));
  listCommand(group, context);
  readyCommand(group, context);
  for (const [name, act] of Object.entries({ start: startProcesses, stop: stopProcesses, restart: restartProcesses })) {
    group
      .command(name)
      .argument('<process...>')
      .summary(`${name}s processes`)
      .description(
        describe(`${name.charAt(0).toUpperCase()}${name.slice(1)}s processes.`, `kato process ${name} logyard`),
      )
      .action(async (names: string[], _options: unknown, command: Command) => {
        const terminal = terminalOf(command);
        const node = await openNode();
        const plans = withSharers(node, plansNamed(node, names));
        const others = plans.filter((plan) => !names.includes(plan.name)).map((plan) => plan.name);
        if (others.length > 0) terminal.say(`${others.join(', ')}: shares a process with these, so it goes along`);
        const { state, because } = await orWaiting(async () => {
          await act(node, plans, { say: terminal.say, signal: context.signal });
          return name === 'stop' ? 'STOPPED' : 'READY';
        });
        const processes = plans.map((plan) => plan.name);
        const text = `${processes.join(', ')}: ${state}${because === undefined ? '' : `: ${because}`}`;
        terminal.result(text, { processes, state, ...(because === undefined ? {} : { because }) });
      });
  }
}

function listCommand(group: Command, context: CommandContext): void {
  group
    .command('list')
    .option('-c, --cluster', 'of every node; on the Core node, as with -n all')
    .summary('the processes of this node')
    .description(describe('Lists the processes of this node.', 'kato process list', 'kato process list --cluster'))
    .action(async ({ cluster }: { cluster?: boolean }, command: Command) => {
      if (cluster === true) {
        const { json, yaml } = command.optsWithGlobals<{ json?: boolean; yaml?: boolean }>();
        const format = json ? ['--json'] : yaml ? ['--yaml'] : [];
        context.outcome.code = await runOnNodes(['all'], ['process', 'list', ...format], context.signal);
        return;
      }
      const node = await openNode();
      await using probe = new ReadinessProbe(node);
      const found = await probe.look(listProcesses(node.file));
      const rows = found.map(({ name, state, pid, uptime_s, ready, description }) => [
        name,
        coloured((ready ? 'READY' : state).padEnd(8)),
        pid === 0 ? '' : String(pid),
        pid === 0 ? '' : `${uptime_s} s`,
        description,
      ]);
      terminalOf(command).result(table([['PROCESS', 'STATE', 'PID', 'UP', ''], ...rows]), found);
    });
}

function readyCommand(group: Command, context: CommandContext): void {
  group
    .command('ready')
    .argument('<process...>', 'names, or all')
    .option('-b, --block <seconds>', 'wait so long for it; 0 = for ever', parseSeconds)
    .summary('says READY when they are')
    .description(
      describe(
        'Tells whether processes are ready, waiting for it when asked to.',
        'kato process ready all',
        'kato process ready controller --block 30',
      ),
    )
    .action(async (names: string[], options: { block?: number }, command: Command) => {
      const node = await openNode();
      const plans = names.includes('all') ? listProcesses(node.file) : plansNamed(node, names);
      await using probe = new ReadinessProbe(node);
      const timeoutMs = options.block === 0 ? FOR_EVER_MS : (options.block ?? 0) * 1000;
      if (options.block !== undefined) await probe.untilReady(plans, { timeoutMs, signal: context.signal });
      const late = (await probe.look(plans)).filter(({ ready }) => !ready);
      const state = late.length === 0 ? 'READY' : 'NOT READY';
      terminalOf(command).result(late.length === 0 ? state : `${state}: ${late.map(({ name }) => name).join(', ')}`, {
        state,
        late: late.map(({ name }) => name),
      });
      if (late.length > 0) context.outcome.code = 1;
    });
}

function plansNamed(node: Node, names: readonly string[]): ProcessPlan[] {
  const plans = listProcesses(node.file);
  const unknown = names.filter((name) => !plans.some((plan) => plan.name === name));
  if (unknown.length > 0) {
    const known = plans.map(({ name }) => name);
    const meant = closest(unknown[0] ?? '', known);
    throw new Refusal(
      `this node runs no process ${unknown.join(', ')}; ${meant === undefined ? '' : `did you mean ${meant}? `}it runs ${known.join(', ')}`,
    );
  }
  return plans.filter((plan) => names.includes(plan.name));
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new Refusal(`--block takes seconds, not '${text}'`, 'for example --block 30');
  return seconds;
}
