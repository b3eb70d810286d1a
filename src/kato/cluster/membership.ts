import type { NodeChange } from '../../contract/registry.ts';
import { type Node, openNode } from '../node.ts';
import { ensureLinks } from '../setup/links.ts';
import { writeNode } from '../setup/state-folder.ts';
import { writeTopology } from '../topology-file.ts';
import { readJoin } from './attach.ts';
import { writeMaterial } from './material.ts';
import { RegistryClient } from './registry-client.ts';

/**
 * Changes this node: in its cluster first, which may refuse, then on its own disk. A micro cloud has itself to ask.
 * Repeating it finishes what was interrupted.
 *
 * @returns the node as it is now
 * @throws Refusal when the Core refuses or does not answer; then nothing was changed
 */
export async function changeMembership(node: Node, change: Omit<NodeChange, 'csr'>): Promise<Node> {
  const { file, paths } = node;
  const { roles = file.roles, address = file.address, availabilityZone = file.availabilityZone } = change;
  const zones = change.zones ?? file.zones ?? [];
  if (!file.isMicro) await tellCluster(node, change);
  const zone = zones[0] ?? 'default';
  await writeNode(paths, { ...file, roles: [...roles], address, zone, zones, availabilityZone });
  const after = await openNode();
  if (!file.isMicro && (await ensureLinks(after)) && (await after.supervisor.isRunning())) {
    await after.supervisor.signal('link', 'USR2');
  }
  return after;
}

async function tellCluster({ file, paths }: Node, change: NodeChange): Promise<void> {
  const registry = new RegistryClient({ file, paths });
  if (file.roles.includes('primary')) {
    await writeTopology(paths, (await registry.change(file.id, change)).topology);
    return;
  }
  const { supervisorPassword, key } = await readJoin(paths);
  const material = await registry.changeSelf(change);
  await writeMaterial(paths, material, { key, supervisor: { user: 'kato', password: supervisorPassword } });
}
