import { basename, join } from 'node:path';
import { infrastructure } from '../core/process-status.ts';
import { listPrograms, type ProcessPlan, type ProgramPlan } from '../core/role-plan.ts';
import { environment } from '../platform/config.ts';
import { postgresqlProgram } from '../platform/postgresql.ts';
import { linkProgram } from '../proxy/link/links.ts';
import type { Program } from '../supervisor/supervisor.ts';
import { type Code, findOpenCode, isStateOpen, ownCode } from './code.ts';
import type { Node } from './node.ts';

/** Small young generations: an idle process keeps little, and a busy one collects more often. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--v8-pool-size=2',
];

/** How the planned processes are run on this node. */
export async function programsOf(node: Node, plans: readonly ProcessPlan[]): Promise<Program[]> {
  const open = await findOpenCode(node.paths);
  const canDrop = open !== undefined || (await isStateOpen(node.paths));
  return listPrograms(plans).map((plan) => {
    // Only the platform's own account needs the mount: root runs the checkout itself.
    const code = plan.account === 'stackato' ? (open ?? ownCode) : ownCode;
    const drops = plan.account === 'postgres' || (plan.account === 'stackato' && (isForeign(plan) ? canDrop : open));
    return {
      name: plan.name,
      command: commandOf(node, plan, code),
      environment: environmentOf(node, plan, drops ? plan.account : 'root'),
      ...(drops ? { user: plan.account } : {}),
      directory: '/',
      priority: plan.startPhase * 100,
      stopWaitS: plan.stopWaitS,
      ...(plan.outlivedByCharges ? { isOutlivedByCharges: true } : {}),
      ...(plan.name === 'postgresql' ? { stopSignal: 'INT' as const } : {}),
    };
  });
}

/** Is it one of our own, run by Node from the checkout? */
export function isOwnProgram({ command }: Program): boolean {
  return basename(command[0] ?? '') === basename(ownCode.node);
}

function isForeign({ name }: ProgramPlan): boolean {
  return infrastructure.includes(name);
}

function commandOf(node: Node, plan: ProgramPlan, code: Code): string[] {
  if (plan.name === 'nats') return ['/usr/sbin/nats-server', '-c', join(node.paths.nats, 'nats.conf')];
  if (plan.name === 'postgresql') return postgresqlProgram(node.paths);
  if (plan.name === 'link') return linkProgram(node.paths);
  return [code.node, ...NODE_FLAGS, code.entry, plan.processes.map(({ name }) => name).join('+')];
}

function environmentOf(node: Node, plan: ProgramPlan, account: string): Record<string, string> {
  if (isForeign(plan)) return {};
  const { staging } = node.config;
  return {
    STACKATO_STATE: node.paths.state,
    STACKATO_LOG_LEVEL: environment.logLevel,
    NODE_ENV: 'production',
    // Each further arena keeps freed memory of its own.
    MALLOC_ARENA_MAX: '1',
    // One per account, so that nobody runs what another compiled.
    NODE_COMPILE_CACHE: join(node.paths.run, 'compiled', account),
    // The stager itself fetches buildpacks by URL.
    ...(plan.processes.some(({ name }) => name === 'stager') && staging.caFile !== ''
      ? { NODE_EXTRA_CA_CERTS: staging.caFile }
      : {}),
  };
}
