import { stat } from 'node:fs/promises';
import type { RegenerationTarget } from '../core/regeneration.ts';
import { listProcesses, type ProcessPlan } from '../core/role-plan.ts';
import { isMissing } from '../platform/files.ts';
import { getUser } from '../platform/system-user.ts';
import { callSigned } from './api-client.ts';
import { renewJoinKey } from './cluster/attach.ts';
import { type OtherNode, runOnOthers } from './cluster/others.ts';
import { RegistryClient } from './cluster/registry-client.ts';
import { updateNode } from './cluster/update.ts';
import { openServer } from './data/server.ts';
import { type LifecycleOptions, restartProcesses, startProcesses } from './lifecycle.ts';
import { type Node, openNode } from './node.ts';
import { Refusal } from './refusal.ts';
import { ensureBusConfig } from './setup/bus.ts';
import { ensureCertificates } from './setup/certificates.ts';
import { hasMark, leaveMark, removeMark } from './setup/marks.ts';
import { readOrMakeSecrets, readSecrets, writeSecrets } from './setup/secrets.ts';
import { writeCredentials } from './setup/state-folder.ts';
import { prepareControlDatabase } from './store/control-database.ts';
import { readGenerations } from './store/generations.ts';
import { findTopology, writeTopology } from './topology-file.ts';

export type Regenerated = {
  readonly targets: readonly RegenerationTarget[];
  readonly restarted: readonly string[];
  readonly nodes: readonly OtherNode[];
};

const PENDING = 'regenerate.pending';
const SIGNING_KEY = '/internal/v1/signing_key';

/**
 * Makes secrets of this node anew, and restarts what holds them; apps go on. Interrupted, it leaves some of them old and
 * some new: the same command makes all of them anew.
 *
 * @throws Refusal before anything was changed, when what it needs does not run
 */
export async function regenerate(
  node: Node,
  targets: readonly RegenerationTarget[],
  options: LifecycleOptions,
): Promise<Regenerated> {
  if (!(await node.supervisor.isRunning())) {
    throw new Refusal('nothing runs here that could take up new secrets', 'run `kato start` first');
  }
  if (node.file.roles.includes('primary')) return onCore(node, targets, options);
  if (targets.includes('ssl_cert')) await renewJoinKey(node.paths);
  if (targets.includes('bus')) await new RegistryClient(node).renewSelf();
  const { restarted } = await updateNode(node, options);
  return { targets, restarted, nodes: [] };
}

async function onCore(
  node: Node,
  targets: readonly RegenerationTarget[],
  options: LifecycleOptions,
): Promise<Regenerated> {
  const { paths, file } = node;
  const has = (target: RegenerationTarget) => targets.includes(target);
  await finishRegeneration(node, options);
  await openServer(node);
  await leaveMark(paths, PENDING, `${targets.join(' ')}\n`);
  if (has('bus') && !file.isMicro) await new RegistryClient(node).renew(file.id);
  await forgetSecrets(node, targets);
  if (has('ssl_cert')) await ensureCertificates(node, { isNew: true });
  const restarted = await takeUpSecrets(node, options);
  if (has('token-signing-secret')) await renewSigningKey(await openNode(paths.state));
  await removeMark(paths, PENDING);
  const isForOthers = has('ssl_cert') || has('controller-keys');
  const nodes = isForOthers ? await runOnOthers(await openNode(paths.state), ['node', 'update'], options) : [];
  return { targets, restarted, nodes };
}

/** Makes one of what an interrupted run left old and new, so that the Core's processes understand each other again. */
export async function finishRegeneration(node: Node, options: LifecycleOptions): Promise<void> {
  const { paths, file } = node;
  if (!file.roles.includes('primary') || !(await hasMark(paths, PENDING))) return;
  options.say('finishing a regeneration that was cut short');
  const database = listProcesses(file).filter(({ name }) => name === 'postgresql');
  await startProcesses(node, database, options);
  await ensureCertificates(node);
  await takeUpSecrets(node, options);
  await startProcesses(await openNode(paths.state), listProcesses(file), options);
  await removeMark(paths, PENDING);
}

async function forgetSecrets({ paths, file }: Node, targets: readonly RegenerationTarget[]): Promise<void> {
  const { database, clients, signingKey, nodeKey, ...kept } = await readSecrets(paths);
  const isKept = (target: RegenerationTarget) => !targets.includes(target);
  await writeSecrets(paths, {
    ...kept,
    ...(isKept('postgresql') ? { database } : {}),
    ...(isKept('controller-keys') ? { clients, signingKey } : {}),
    // Of a cluster's nodes each has passwords of its own, by its generation.
    ...(isKept('bus') || !file.isMicro ? { nodeKey } : {}),
  });
}

/** Secrets, as they are now, become those of the database, the bus and every process. Gives the processes it restarted. */
async function takeUpSecrets(node: Node, options: LifecycleOptions): Promise<string[]> {
  const { paths, file, config, supervisor } = node;
  const secrets = await readOrMakeSecrets(paths);
  const server = await openServer(node);
  await prepareControlDatabase(server, secrets.database, { isCluster: !file.isMicro });
  if (!file.isMicro) await copyGenerations(node, await readGenerations(server));
  await writeCredentials(paths, await getUser('stackato'), { busPort: config.bus.port });
  const after = await openNode(paths.state);
  await ensureBusConfig(after);
  const running = new Map(
    (await supervisor.list()).flatMap((one) => (one.state === 'RUNNING' ? [[one.name, one]] : [])),
  );
  if (running.has('nats')) await supervisor.signal('nats', 'HUP');
  if (running.has('link')) await supervisor.signal('link', 'USR2');
  const stale: ProcessPlan[] = [];
  for (const plan of listProcesses(file)) {
    const sinceS = running.get(plan.program)?.startedAtS;
    const changedMs = await findMtimeMs(paths.credentials(plan.name));
    if (sinceS !== undefined && changedMs !== undefined && sinceS * 1000 < changedMs) stale.push(plan);
  }
  if (stale.length > 0) await restartProcesses(after, stale, options);
  return stale.map(({ name }) => name);
}

/** The registry's are those that the bus will be told. */
async function copyGenerations({ paths }: Node, generations: ReadonlyMap<string, number>): Promise<void> {
  const topology = await findTopology(paths);
  if (topology === undefined) return;
  const nodes = topology.nodes.map((one) => ({ ...one, generation: generations.get(one.id) ?? one.generation }));
  await writeTopology(paths, { ...topology, nodes });
}

async function renewSigningKey(node: Node): Promise<void> {
  const answer = await callSigned(node, { port: node.config.aok.port, path: SIGNING_KEY, body: {} });
  if (answer.status === 200) return;
  throw new Refusal(
    `the login server answered ${answer.status}`,
    `read ${node.paths.log}/controller.log, then try again`,
  );
}

async function findMtimeMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
