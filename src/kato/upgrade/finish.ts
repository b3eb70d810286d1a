import { join } from 'node:path';
import type { RoleName } from '../../contract/node.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { environment } from '../../platform/config.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { restartProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { debianPackages, installPackages, installRolePackages, listMissing, rolePackages } from '../setup/packages.ts';
import { roleSteps } from '../setup/role-steps.ts';
import { findMissingStack } from '../setup/stack.ts';
import { runSteps, type Step } from '../setup/step.ts';
import type { Terminal } from '../terminal.ts';

/** Run by the new version on its node: brings what it needs besides its code, then restarts every process. */
export async function finishUpgrade(
  { offline, isCheck }: { offline: boolean; isCheck: boolean },
  context: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const node = await openNode();
  if (offline) {
    await refuseMissingPackages(node);
    await refuseMissingStack(node);
  }
  // One whose caller was killed may still be at it.
  if (!isCheck)
    await withFileLock(join(node.paths.upgrade, 'finish.lock'), () => finish(node, { offline, ...context }));
}

type Context = { offline: boolean; terminal: Terminal; signal: AbortSignal };

async function finish({ file }: Node, { offline, terminal, signal }: Context): Promise<void> {
  const restart: Step = {
    title: 'Restart with the new version',
    run: async (context) => {
      const node = await context.node();
      const say = (text: string) => terminal.say(`        ${text}`);
      await restartProcesses(node, listProcesses(node.file), { say, signal });
      return 'done';
    },
  };
  const { state } = environment;
  const none = { domain: undefined, email: undefined, org: '', password: undefined, welcome: false };
  await runSteps([...(offline ? [] : [installPackages, installRolePackages]), ...roleSteps, restart], {
    options: { kind: file.isMicro ? 'micro' : 'core', roles: file.roles as RoleName[], state, ...none },
    terminal,
    signal,
    notes: [],
    node: () => openNode(state),
  });
}

async function refuseMissingPackages({ file }: Node): Promise<void> {
  const wanted = (file.roles as RoleName[]).flatMap((role) => rolePackages[role] ?? []);
  const missing = await listMissing([...debianPackages, ...wanted]);
  if (missing.length === 0) return;
  throw new Refusal(
    `the new version needs Debian packages that are not installed: ${missing.join(', ')}`,
    `install them (apt-get install ${missing.join(' ')}), then run on the Core: kato node upgrade --resume`,
  );
}

async function refuseMissingStack(node: Node): Promise<void> {
  if (!node.file.roles.some((role) => role === 'dea' || role === 'stager')) return;
  const tar = await findMissingStack(node);
  if (tar === undefined) return;
  throw new Refusal(
    `the new version brings another stack, which is built from Debian packages over the network: ${tar} is not here`,
    'copy that file from a machine where the new version is set up (it is at the same place there), then run on the Core: kato node upgrade --resume',
  );
}
