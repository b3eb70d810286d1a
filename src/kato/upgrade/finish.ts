import type { RoleName } from '../../contract/node.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { environment } from '../../platform/config.ts';
import { restartProcesses } from '../lifecycle.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { debianPackages, installPackages, installRolePackages, listMissing, rolePackages } from '../setup/packages.ts';
import { roleSteps } from '../setup/role-steps.ts';
import { runSteps, type Step } from '../setup/step.ts';
import type { Terminal } from '../terminal.ts';

/** Run by the new version on its node: brings what it needs besides its code, then restarts every process. */
export async function finishUpgrade(
  { offline }: { offline: boolean },
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const { file } = await openNode();
  const roles = file.roles as RoleName[];
  if (offline) await refuseMissingPackages(roles);
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
    options: { kind: file.isMicro ? 'micro' : 'core', roles, state, ...none },
    terminal,
    signal,
    notes: [],
    node: () => openNode(state),
  });
}

async function refuseMissingPackages(roles: readonly RoleName[]): Promise<void> {
  const missing = await listMissing([...debianPackages, ...roles.flatMap((role) => rolePackages[role] ?? [])]);
  if (missing.length === 0) return;
  throw new Refusal(
    `the new version needs Debian packages that are not installed: ${missing.join(', ')}`,
    'install them, then run on the Core: kato node upgrade --resume',
  );
}
