import { stat } from 'node:fs/promises';
import type { NodeMaterial } from '../../contract/registry.ts';
import { withAddress } from '../../core/address-move.ts';
import { effectOf } from '../../core/config-effect.ts';
import { listProcesses, type ProcessPlan } from '../../core/role-plan.ts';
import { findAddress, listAddresses } from '../../platform/network-address.ts';
import { type LifecycleOptions, restartProcesses, startProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { copySettings } from '../settings-copy.ts';
import { ensureCertificates } from '../setup/certificates.ts';
import { ensureLinks } from '../setup/links.ts';
import { writeNode } from '../setup/state-folder.ts';
import { findTopology, writeTopology } from '../topology-file.ts';
import { moveJoin, readJoin } from './attach.ts';
import { askCore } from './core-client.ts';
import { writeMaterial } from './material.ts';

/** What an update found and did. */
export type Updated = { readonly address: string; readonly coreAddress: string; readonly restarted: readonly string[] };

/**
 * Takes up what the cluster says of this node, and restarts what read other things when it started. A node that is not
 * the Core tells it its address.
 *
 * @param options `address`: that this node has now; `coreAddress`: where its Core is now
 * @throws Refusal when the Core does not answer
 */
export async function updateNode(
  node: Node,
  options: LifecycleOptions & { readonly address?: string; readonly coreAddress?: string },
): Promise<Updated> {
  if (node.file.roles.includes('primary')) {
    await refuseMoved(node);
    await ensureCertificates(await copySettings(node));
    return takeUp(node, { ...options, changed: [] });
  }
  const address = options.address ?? (await currentAddress(node));
  const changed = await askAgain(node, { address, coreAddress: options.coreAddress });
  return takeUp(node, { ...options, changed });
}

/** The address of the node's file while the machine has it, else the machine's own. */
export async function currentAddress({ file }: Node): Promise<string> {
  return listAddresses().includes(file.address) ? file.address : findAddress();
}

async function refuseMoved(node: Node): Promise<void> {
  const address = await currentAddress(node);
  if (address === node.file.address || node.file.isMicro || !node.file.roles.includes('primary')) return;
  throw new Refusal(
    `this is the Core node of ${node.file.address}, and the machine's address is ${address}`,
    `kato node migrate ${node.file.address} ${address}`,
  );
}

/** Everything that the Core gives to a node, anew. */
async function askAgain(
  node: Node,
  { address, coreAddress }: { address: string; coreAddress: string | undefined },
): Promise<string[]> {
  const { file, paths } = node;
  const known = await findTopology(paths);
  const core = known?.nodes.find(({ id }) => id === known.core);
  if (core === undefined) throw new Refusal(`${paths.topologyFile} does not name the Core`, 'attach this node again');
  const { key, csr, supervisorPassword } = await readJoin(paths);
  const at = { id: core.id, address: coreAddress ?? core.address };
  const material = await askCore(node, at, { address, csr });
  refuseStaleCore(material, at);
  const changed = await writeMaterial(paths, material, {
    key,
    supervisor: { user: 'kato', password: supervisorPassword },
  });
  await moveJoin(paths, at.address);
  await writeNode(paths, { ...file, address, coreAddress: at.address });
  return address === file.address ? changed : listProcesses(file).map(({ name }) => name);
}

/** The next copy of the topology would lead away from it again. */
function refuseStaleCore({ topology }: NodeMaterial, core: { id: string; address: string }): void {
  const says = topology.nodes.find(({ id }) => id === core.id)?.address;
  if (says === core.address) return;
  throw new Refusal(
    `the Core at ${core.address} still goes by its address ${says}`,
    `run on the Core: kato node migrate ${says} ${core.address}`,
  );
}

/** Has the links and what is stale take up what is on the disk now; starts nothing that was stopped, links apart. */
export async function takeUp(
  { paths }: Node,
  options: LifecycleOptions & { readonly changed: readonly string[] },
): Promise<Updated> {
  const node = await openNode(paths.state);
  const { address, coreAddress, isMicro } = node.file;
  if (!isMicro) await ensureLinks(node);
  if (!(await node.supervisor.isRunning())) return { address, coreAddress, restarted: [] };
  if (!isMicro) await renewLink(node, options);
  const stale = await listStale(node, options.changed);
  if (stale.length > 0) await restartProcesses(node, stale, options);
  return { address, coreAddress, restarted: stale.map(({ name }) => name) };
}

/**
 * Also when its files were right: who wrote them may not have come to this. Links that could not bind an address which the
 * machine had lost have ended, for good.
 */
async function renewLink(node: Node, options: LifecycleOptions): Promise<void> {
  const state = (await node.supervisor.list()).find(({ name }) => name === 'link')?.state;
  if (state !== 'RUNNING') {
    await startProcesses(node, listProcesses(node.file), options);
    return;
  }
  await node.supervisor.signal('link', 'USR2');
}

/** This node under the address that its machine has now, as far as itself is concerned: base tells the Core. */
export async function keepAddress(node: Node): Promise<Node> {
  const { file, paths } = node;
  const address = await currentAddress(node);
  if (address === file.address) return node;
  await refuseMoved(node);
  const topology = await findTopology(paths);
  if (topology !== undefined) await writeTopology(paths, withAddress(topology, file.id, address));
  await writeNode(paths, { ...file, address });
  const moved = await openNode(paths.state);
  await ensureLinks(moved);
  return moved;
}

/** What runs with other credentials, or with settings of the cluster as they were. */
async function listStale({ file, paths, supervisor }: Node, changed: readonly string[]): Promise<ProcessPlan[]> {
  const startedAtMs = new Map<string, number>();
  for (const one of await supervisor.list()) {
    if (one.state === 'RUNNING') startedAtMs.set(one.name, one.startedAtS * 1000);
  }
  const { mtimeMs } = await stat(paths.clusterFile);
  const readers = effectOf('cluster.domain').processes;
  return listProcesses(file).filter(({ name, program }) => {
    const sinceMs = startedAtMs.get(program);
    if (sinceMs === undefined || name === 'link') return false;
    return changed.includes(name) || (readers.includes(name) && sinceMs < mtimeMs);
  });
}
