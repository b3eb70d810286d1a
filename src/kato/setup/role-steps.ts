import { environment } from '../../platform/config.ts';
import { type Node, openNode } from '../node.ts';
import type { Terminal } from '../terminal.ts';
import { buildConsole } from './console.ts';
import { checkSharedBlobs } from './shared-blobs.ts';
import { makeStack } from './stack.ts';
import { runSteps, type Step } from './step.ts';

/** What some roles need on their node's disk; left out where none of them is. */
export const roleSteps: readonly Step[] = [
  onlyWith(['controller'], checkSharedBlobs),
  onlyWith(['controller'], buildConsole),
  onlyWith(['dea', 'stager'], makeStack),
];

/** Makes what newly added roles need before they start. */
export async function prepareForRoles(
  node: Node,
  added: readonly string[],
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  if (!added.some((role) => ['controller', 'dea', 'stager'].includes(role))) return;
  const { state } = environment;
  const none = { domain: undefined, email: undefined, org: '', password: undefined, welcome: false };
  await runSteps(roleSteps, {
    options: { kind: node.file.isMicro ? 'micro' : 'core', roles: [...node.file.roles], state, ...none },
    terminal,
    signal,
    notes: [],
    node: () => openNode(state),
  });
}

function onlyWith(roles: readonly string[], step: Step): Step {
  return {
    title: step.title,
    run: async (context) => {
      const { file } = await context.node();
      return file.roles.some((role) => roles.includes(role)) ? step.run(context) : { skipped: 'not needed here' };
    },
  };
}
