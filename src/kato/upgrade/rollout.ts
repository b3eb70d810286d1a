import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from '../../contract/decode.ts';
import { Upgrade } from '../../contract/release.ts';
import type { Topology, TopologyNode } from '../../contract/topology.ts';
import { platformVersion } from '../../contract/version.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import { mustEvacuate, nextNode, orderNodes, refuseRelease, withNodeState } from '../../core/upgrade-plan.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { readJsonIfExists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';
import { askedOrCopied } from '../cluster/registry-client.ts';
import { runOnNode } from '../cluster/remote.ts';
import type { Node } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { digestOf, readRelease } from './release-archive.ts';
import { runKato } from './upgrade-here.ts';

const SILENCE_MS = 120_000;
const RESUME = 'mend what it says, then run here: kato node upgrade --resume';

export type RolloutOptions = {
  readonly path: string;
  readonly roleOrder: readonly string[];
  readonly evacuates: boolean;
  readonly offline: boolean;
  readonly isForced: boolean;
};
type Context = { readonly terminal: Terminal; readonly signal: AbortSignal };

/** The upgrade under way or ended last; undefined when there was none. */
export async function findUpgrade(paths: Paths): Promise<Upgrade | undefined> {
  const value = await readJsonIfExists(paths.upgradeFile);
  return value === undefined ? undefined : decode(Upgrade, value, paths.upgradeFile);
}

/** Takes a release in, and plans which node comes when. Nothing else changes yet. */
async function planUpgrade(node: Node, options: RolloutOptions): Promise<void> {
  const release = await readRelease(options.path);
  const refused = refuseRelease(release, { version: platformVersion, arch: process.arch }, options);
  if (refused !== undefined) throw new Refusal(refused, 'make a newer one, or take it all the same with --force');
  const sha256 = await digestOf(options.path);
  const before = await findUpgrade(node.paths);
  if (before && nextNode(before) && before.sha256 !== sha256 && !options.isForced) {
    throw new Refusal(
      `an upgrade to version ${before.release.version} has not ended`,
      'go on with it: kato node upgrade --resume; or begin this one all the same with --force',
    );
  }
  const { paths } = node;
  await copyFile(options.path, `${paths.release}.unfinished`);
  await rename(`${paths.release}.unfinished`, paths.release);
  const nodes = orderNodes((await membersOf(node)).nodes, options.roleOrder);
  const upgrade: Upgrade = {
    release,
    sha256,
    nodes: nodes.map(({ id, address }) => ({ id, address, state: 'waiting' as const })),
    evacuates: options.evacuates,
    offline: options.offline,
  };
  await keep(paths, upgrade);
}

/**
 * Upgrades one node after the other, until all are done or one fails; plans it first when there is a release.
 *
 * @returns the exit code
 * @throws Refusal at the first node that fails, with what it said
 */
export async function runUpgrade(node: Node, options: RolloutOptions | undefined, context: Context): Promise<number> {
  requireCore(node);
  await mkdir(node.paths.upgrade, { recursive: true, mode: 0o755 });
  const roll = async () => {
    if (options !== undefined) await planUpgrade(node, options);
    return continueUpgrade(node, context);
  };
  // One whose caller was killed may still be at it.
  const isWhole = await withFileLock(join(node.paths.upgrade, 'rollout.lock'), roll, () =>
    context.terminal.say('waiting for an upgrade that is under way'),
  );
  return isWhole ? 0 : runKato(['node', 'upgrade', '--resume']);
}

/** Gives false as soon as this node runs the new version, which is to do the rest. */
async function continueUpgrade(node: Node, { terminal, signal }: Context): Promise<boolean> {
  const found = await findUpgrade(node.paths);
  if (found === undefined) throw new Refusal('no upgrade was begun', 'kato node upgrade FILE');
  const topology = await membersOf(node);
  const isMember = ({ id }: { id: string }) => topology.nodes.some((one) => one.id === id);
  let upgrade: Upgrade = { ...found, nodes: found.nodes.filter(isMember) };
  const record = async (id: string, change: Parameters<typeof withNodeState>[2]) => {
    upgrade = withNodeState(upgrade, id, change);
    await keep(node.paths, upgrade);
  };
  const flagsOf = () => ['node', 'upgrade', '--here', upgrade.sha256, ...(upgrade.offline ? ['--offline'] : [])];
  const run = (target: TopologyNode, args: readonly string[]) =>
    target.id === node.file.id ? runHere(args) : runThere(node, { target, args }, { terminal, signal });
  if (upgrade.offline) await refuseUnready(upgrade, topology.nodes, (target) => run(target, [...flagsOf(), '--check']));
  for (let next = nextNode(upgrade); next !== undefined; next = nextNode(upgrade)) {
    const { id } = next;
    const target = topology.nodes.find((one) => one.id === id);
    if (target === undefined) break;
    if (signal.aborted) throw new Refusal('the upgrade was interrupted', 'kato node upgrade --resume');
    terminal.say(`${describeNode(target)}: version ${upgrade.release.version}`);
    await record(id, { state: 'running' });
    const evacuates = upgrade.evacuates && mustEvacuate(target, topology.nodes);
    const because = await run(target, [...flagsOf(), ...(evacuates ? [] : ['--no-evacuate'])]);
    if (because !== undefined) {
      await record(id, { state: 'failed', because });
      throw new Refusal(`${describeNode(target)} was not upgraded: ${because}`, RESUME);
    }
    await record(id, { state: 'done' });
    if (id === node.file.id) return false;
  }
  return true;
}

/** Offline nothing can be fetched half-way: every node left is asked first whether it has what the new version needs. */
async function refuseUnready(
  upgrade: Upgrade,
  nodes: readonly TopologyNode[],
  check: (target: TopologyNode) => Promise<string | undefined>,
): Promise<void> {
  const isLeft = ({ id }: TopologyNode) => upgrade.nodes.some((one) => one.id === id && one.state !== 'done');
  const faults: string[] = [];
  for (const target of nodes.filter(isLeft)) {
    const because = await check(target);
    if (because !== undefined) faults.push(`${describeNode(target)}: ${because}`);
  }
  if (faults.length > 0) throw new Refusal(`not every node can be upgraded offline\n${faults.join('\n')}`, RESUME);
}

async function runHere(args: readonly string[]): Promise<string | undefined> {
  const code = await runKato(args);
  return code === 0 ? undefined : `exit code ${code}`;
}

async function runThere(
  node: Node,
  { target, args }: { target: Parameters<typeof runOnNode>[1]; args: readonly string[] },
  { terminal, signal }: Context,
): Promise<string | undefined> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  if (bus === undefined) return 'the bus does not answer here';
  const heard = (text: string) => terminal.say(text.trimEnd().replaceAll(/^/gm, `${target.address}: `));
  const { code, stderr } = await runOnNode(bus, target, { args, heard, silenceMs: SILENCE_MS, signal });
  if (code === 0) return undefined;
  const last = stderr
    .trim()
    .split('\n')
    .findLast((line) => line.startsWith('kato: '));
  return last?.slice('kato: '.length) ?? (stderr.trim() || `exit code ${code ?? 'unknown: it fell silent'}`);
}

/** An upgrade that was interrupted may have left the registry stopped; the Core's copy has the same nodes. */
async function membersOf(node: Node): Promise<Topology> {
  const { topology, why } = await askedOrCopied(node);
  if (topology === undefined) throw why;
  return topology;
}

function requireCore({ file }: Node): void {
  if (file.isMicro || file.roles.includes('primary')) return;
  throw new Refusal('a cluster is upgraded from its Core node', `run it there: ${file.coreAddress}`);
}

async function keep(paths: Paths, upgrade: Upgrade): Promise<void> {
  const text = `${JSON.stringify(upgrade, null, 2)}\n`;
  await writeOwnedFile(paths.upgradeFile, text, { owner: { uid: 0, gid: 0 }, mode: 0o600 });
}
