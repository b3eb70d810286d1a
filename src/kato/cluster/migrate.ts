import { judgeMove, withAddress } from '../../core/address-move.ts';
import { listAddresses } from '../../platform/network-address.ts';
import type { LifecycleOptions } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { ensureCertificates } from '../setup/certificates.ts';
import { writeNode } from '../setup/state-folder.ts';
import { findTopology, writeTopology } from '../topology-file.ts';
import { type OtherNode, runOnOthers } from './others.ts';
import { RegistryClient } from './registry-client.ts';
import { takeUp, updateNode } from './update.ts';

/** Processes that tell others where they are. */
const addressReaders = ['base', 'dea'];

export type Migrated = {
  readonly from: string;
  readonly to: string;
  readonly restarted: readonly string[];
  /** The other nodes, and whether they know. */
  readonly nodes: readonly OtherNode[];
};

/**
 * Has this node go by another address, and the cluster know it there. Repeating it finishes what was interrupted.
 *
 * @throws Refusal before anything was changed, when the address can't be this node's
 */
export async function migrateNode(
  node: Node,
  { from, to, ...options }: LifecycleOptions & { from: string; to: string },
): Promise<Migrated> {
  const { file, paths } = node;
  const topology = file.isMicro ? undefined : await findTopology(paths);
  const refusal = judgeMove({ from, to, node: file, local: listAddresses(), topology });
  if (refusal !== undefined) throw new Refusal(refusal.refused, refusal.next);
  if (!file.roles.includes('primary')) {
    const { restarted } = await updateNode(node, { ...options, address: to });
    return { from, to, restarted, nodes: [] };
  }
  if (topology !== undefined) await tellRegistry(node, to, options);
  if (topology !== undefined)
    await writeTopology(paths, withAddress((await findTopology(paths)) ?? topology, file.id, to));
  await writeNode(paths, { ...file, address: to, coreAddress: to });
  const moved = await openNode(paths.state);
  if (await ensureCertificates(moved)) options.say('made certificates for the new address');
  const { restarted } = await takeUp(moved, { ...options, changed: addressReaders });
  const nodes = (await moved.supervisor.isRunning()) ? await runOnOthers(moved, ['node', 'update'], options) : [];
  return { from, to, restarted, nodes };
}

/** While the primary runs it tells the other nodes, and may refuse; one that starts reads the node's file. */
async function tellRegistry({ file, paths }: Node, address: string, { say }: LifecycleOptions): Promise<void> {
  try {
    const { topology } = await new RegistryClient({ file, paths }).change(file.id, { address });
    await writeTopology(paths, topology);
  } catch (error) {
    if (!(error instanceof Refusal) || !/does not answer/.test(error.message)) throw error;
    say('the primary does not run: it learns of it when it starts');
  }
}
