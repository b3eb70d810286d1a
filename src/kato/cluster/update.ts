import { stat } from 'node:fs/promises';
import { effectOf } from '../../core/config-effect.ts';
import { listProcesses, type ProcessPlan } from '../../core/role-plan.ts';
import { findAddress } from '../../platform/network-address.ts';
import { type LifecycleOptions, restartProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { copySettings } from '../settings-copy.ts';
import { ensureCertificates } from '../setup/certificates.ts';
import { ensureLinks } from '../setup/links.ts';
import { writeNode } from '../setup/state-folder.ts';
import { readJoin } from './attach.ts';
import { writeMaterial } from './material.ts';
import { RegistryClient } from './registry-client.ts';

/** What an update found and did. */
export type Updated = { readonly address: string; readonly coreAddress: string; readonly restarted: readonly string[] };

/**
 * Takes up what the cluster says of this node, and restarts what read other things when it started.
 *
 * @throws Refusal when the Core does not answer
 */
export async function updateNode(node: Node, options: LifecycleOptions): Promise<Updated> {
  const isCore = node.file.roles.includes('primary');
  if (isCore) await refuseMoved(node);
  const changed = isCore ? await updateCore(node) : await updateAttached(node);
  const after = await openNode(node.paths.state);
  const isLinked = !after.file.isMicro && (await ensureLinks(after));
  if (isLinked && (await after.supervisor.isRunning())) await after.supervisor.signal('link', 'USR2');
  const stale = await listStale(after, changed);
  if (stale.length > 0) await restartProcesses(after, stale, options);
  const { address, coreAddress } = after.file;
  return { address, coreAddress, restarted: stale.map(({ name }) => name) };
}

async function refuseMoved({ file }: Node): Promise<void> {
  const address = await findAddress();
  if (address === file.address || file.isMicro) return;
  throw new Refusal(
    `this is the Core node of ${file.address}, and the machine's address is ${address}`,
    `kato node migrate ${file.address} ${address}`,
  );
}

async function updateCore(node: Node): Promise<string[]> {
  await ensureCertificates(await copySettings(node));
  return [];
}

async function updateAttached({ file, paths }: Node): Promise<string[]> {
  const { key, supervisorPassword } = await readJoin(paths);
  const material = await new RegistryClient({ file, paths }).changeSelf({});
  const supervisor = { user: 'kato', password: supervisorPassword };
  const changed = await writeMaterial(paths, material, { key, supervisor });
  const core = material.topology.nodes.find(({ id }) => id === material.topology.core);
  await writeNode(paths, { ...file, coreAddress: core?.address ?? file.coreAddress });
  return changed;
}

/** What runs with other credentials, or with settings of the cluster as they were. */
async function listStale({ file, paths, supervisor }: Node, changed: readonly string[]): Promise<ProcessPlan[]> {
  if (!(await supervisor.isRunning())) return [];
  const startedAtMs = new Map<string, number>();
  for (const one of await supervisor.list()) {
    if (one.state === 'RUNNING') startedAtMs.set(one.name, one.startedAtS * 1000);
  }
  const { mtimeMs } = await stat(paths.clusterFile);
  const readers = effectOf('cluster.domain').processes;
  return listProcesses(file).filter(({ name, program }) => {
    const sinceMs = startedAtMs.get(program);
    if (sinceMs === undefined) return false;
    return changed.includes(name) || (readers.includes(name) && sinceMs < mtimeMs);
  });
}
