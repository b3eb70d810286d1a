import { stringify } from 'yaml';
import type { Bus } from '../../bus/bus.ts';
import type { TopologyNode } from '../../contract/topology.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import { commandFor, isOneAtATime, isRegeneration, isRemote, remoteCommands } from '../../core/node-commands.ts';
import { start } from '../../platform/exec.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { readRoleGroups } from '../role-groups.ts';
import { readTopology } from './registry-client.ts';
import { nodesNamed, type RemoteOutcome, runOnNode } from './remote.ts';

const SILENCE_MS = 90_000;
const AT_ONCE = 8;

/**
 * Runs a kato command on other nodes, or this one, and prints what they said.
 *
 * @returns the highest exit code
 */
export async function runOnNodes(
  names: readonly string[],
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  if (!isRemote(args)) {
    throw new Refusal(
      `kato ${args.slice(0, 2).join(' ')} has no use for -n`,
      `it is for ${remoteCommands.join(', ')}; run others at the machine itself`,
    );
  }
  const node = await openNode();
  const topology = await readTopology(node);
  const chosen = nodesNamed(topology, names);
  const groups = await readRoleGroups(node.paths);
  const jobs = inOrder(chosen, args, topology.core).flatMap((target) => {
    const told = commandFor(target, args, groups);
    return told === undefined ? [] : [{ target, told }];
  });
  if (jobs.length === 0)
    throw new Refusal('none of these nodes has that role or process', '`kato node list` shows their roles');
  const others = jobs.some(({ target }) => target.id !== node.file.id);
  if (others && node.file.id !== topology.core) {
    throw new Refusal(
      'only the Core node runs commands on other nodes',
      `run it there (${node.file.coreAddress}), or here without -n`,
    );
  }
  await using probe = new ReadinessProbe(node);
  const bus = others ? await probe.bus() : undefined;
  const outcomes = await eachOf(jobs, isOneAtATime(args) || args[0] === 'stop' ? 1 : AT_ONCE, ({ target, told }) =>
    runOne({ node, bus, target, isAlone: chosen.length === 1 }, told, signal),
  );
  print(outcomes, { args, isOne: chosen.length === 1 });
  return Math.max(...outcomes.map(({ code }) => code ?? 1));
}

/** The Core goes last where the others need it to hear of the command, first where they need it to run. */
function inOrder(nodes: readonly TopologyNode[], args: readonly string[], core: string): TopologyNode[] {
  const isCore = ({ id }: TopologyNode) => id === core;
  const others = nodes.filter((one) => !isCore(one));
  return args[0] === 'stop' || isRegeneration(args)
    ? [...others, ...nodes.filter(isCore)]
    : [...nodes.filter(isCore), ...others];
}

type Place = {
  readonly node: Node;
  readonly bus: Bus | undefined;
  readonly target: TopologyNode;
  readonly isAlone: boolean;
};

async function runOne(
  { node, bus, target, isAlone }: Place,
  args: readonly string[],
  signal: AbortSignal,
): Promise<RemoteOutcome> {
  const heard = (text: string) => void process.stderr.write(isAlone ? text : named(target, text));
  if (target.id === node.file.id) return runHere(target, args, heard);
  if (bus === undefined) return silent(target, 'the bus does not answer here; see kato status');
  return runOnNode(bus, target, { args, heard, silenceMs: SILENCE_MS, signal });
}

async function runHere(
  target: TopologyNode,
  args: readonly string[],
  heard: (text: string) => void,
): Promise<RemoteOutcome> {
  const child = start([`${sourceRoot}/bin/kato`, ...args], {}, ['ignore', 'pipe', 'pipe']);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard(text);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code) => resolve(code ?? 1));
  return { node: target, code: await promise, stdout, stderr };
}

function silent(node: TopologyNode, stderr: string): RemoteOutcome {
  return { node, code: undefined, stdout: '', stderr };
}

async function eachOf<T, R>(items: readonly T[], atOnce: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await act(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

function print(outcomes: readonly RemoteOutcome[], { args, isOne }: { args: readonly string[]; isOne: boolean }): void {
  for (const { node, code, stderr } of outcomes) {
    if (code === undefined) process.stderr.write(`kato: ${describeNode(node)}: ${stderr || 'fell silent'}\n`);
  }
  const isJson = args.includes('--json') || args.includes('-j');
  const isYaml = args.includes('--yaml') || args.includes('-y');
  if (isOne) {
    process.stdout.write(outcomes[0]?.stdout ?? '');
    return;
  }
  if (isJson || isYaml) {
    const list = outcomes.map(({ node, code, stdout }) => ({
      ...{ node: node.id, address: node.address, name: node.name, code: code ?? null },
      result: isJson ? parsed(stdout) : stdout,
    }));
    process.stdout.write(isJson ? `${JSON.stringify(list, null, 2)}\n` : stringify(list));
    return;
  }
  const text = outcomes.map(({ node, stdout, code }) => {
    const said = stdout.trimEnd() || (code === undefined ? 'no answer' : code === 0 ? 'done' : `exit code ${code}`);
    return `${describeNode(node)}\n${said.replaceAll(/^/gm, '  ')}`;
  });
  process.stdout.write(`${text.join('\n\n')}\n`);
}

/** A command that failed printed no document. */
function parsed(stdout: string): unknown {
  return stdout.trim() === '' ? null : JSON.parse(stdout);
}

function named(node: TopologyNode, text: string): string {
  return text.trimEnd().replaceAll(/^/gm, `${node.address}: `).concat('\n');
}
