import type { RoleName } from '../../contract/node.ts';
import { listProcesses, listRoleProcesses, planRoleChange } from '../../core/role-plan.ts';
import { restartProcesses, startProcesses, stopProcesses } from '../lifecycle.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { ensureRolePackages } from '../setup/packages.ts';
import { prepareForRoles } from '../setup/role-steps.ts';
import type { Terminal } from '../terminal.ts';
import { changeMembership } from './membership.ts';
import { readTopology } from './registry-client.ts';

/** What became of a node's roles. */
export type ChangedRoles = {
  readonly node: Node;
  readonly roles: readonly string[];
  readonly started: readonly string[];
  readonly stopped: readonly string[];
};

/**
 * Gives this node roles and takes others away: in its cluster, on its disk, and what runs. Repeating it finishes what
 * was interrupted.
 *
 * @param change `start`: also start what the new roles run
 * @throws Refusal when the rules of roles or the Core forbid it; then nothing was changed
 */
export async function changeRoles(
  node: Node,
  { add, remove, start }: { add: readonly RoleName[]; remove: readonly RoleName[]; start: boolean },
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<ChangedRoles> {
  const { isMicro = false, address, coreAddress } = node.file;
  const planned = planRoleChange({ ...node.file, isCore: address === coreAddress, isMicro }, { add, remove });
  if ('refused' in planned) throw new Refusal(planned.refused);
  const options = { say: terminal.say, signal };
  if (await ensureRolePackages(add, signal)) terminal.say('installed the Debian packages that were missing');
  const isUp = await node.supervisor.isRunning();
  if (!isMicro) await readTopology(node);
  const stopped = listProcesses(node.file).filter(({ name }) => planned.stopped.includes(name));
  // Also what a killed supervisord left: nothing else would ever end it.
  await stopProcesses(node, stopped, options);
  const after = await changeMembership(node, { roles: [...planned.roles] }).catch(async (error: unknown) => {
    if (isUp) await startProcesses(node, stopped, options);
    throw error;
  });
  await prepareForRoles(after, add, { terminal, signal });
  // Also what an interrupted run of this command did not come to.
  const started = listProcesses(after.file).filter(
    ({ name, role }) => planned.started.includes(name) || add.includes(role),
  );
  const base = listRoleProcesses('base');
  const sharers = started.filter(({ program }) => base.some((one) => one.program === program));
  if (isUp && !start && sharers.length > 0) {
    terminal.say(`${sharers.map(({ name }) => name).join(', ')}: shares a process with base, and starts with it`);
  }
  try {
    if (isUp && start) await startProcesses(after, started, options);
  } finally {
    // base reads its roles when it starts; it tells of those too that did not become ready.
    if (isUp) await restartProcesses(after, base, options);
  }
  return { node: after, roles: planned.roles, started: start ? planned.started : [], stopped: planned.stopped };
}
