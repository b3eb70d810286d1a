import { listProcesses } from '../../core/role-plan.ts';
import { type OtherNode, runOnOthers } from '../cluster/others.ts';
import { type LifecycleOptions, stopProcesses } from '../lifecycle.ts';
import type { Node } from '../node.ts';
import { readSecrets } from '../setup/secrets.ts';
import { databaseServer } from '../store/database-server.ts';
import { shutNodesOut } from '../store/moved-database.ts';

/**
 * Stops everything that writes to the control database: on this node all but the database itself, links included, by
 * which others reach it. A server of the operator's they reach themselves, and are shut out of it.
 */
export async function stopWriters(node: Node, options: LifecycleOptions): Promise<void> {
  const writers = listProcesses(node.file).filter(({ name }) => name !== 'postgresql');
  await stopProcesses(node, writers, options);
  const server = databaseServer(node.paths, await readSecrets(node.paths));
  if (server.outside !== undefined) await shutNodesOut(server);
}

/**
 * Has the further controllers use the control database as it is now: the Core lets them in when they ask, and what they
 * knew of it is forgotten with a restart.
 *
 * @returns those that did not
 */
export async function renewOtherControllers(node: Node, options: LifecycleOptions): Promise<OtherNode[]> {
  const run = (command: readonly string[], among: (id: string) => boolean) =>
    runOnOthers(node, command, options, ({ id, roles }) => roles.includes('controller') && among(id));
  const told = await run(['node', 'update'], () => true);
  const restarted = await run(['restart', 'controller'], (id) => told.some((one) => one.id === id && one.done));
  return [...told, ...restarted].filter(({ done }) => !done);
}

/** What is left to do, a line each. */
export function inWords(away: readonly OtherNode[]): string[] {
  return away.map(
    ({ address, because }) =>
      `the controller of ${address} did not follow (${because}): kato node update and kato restart controller there`,
  );
}
