import { join } from 'node:path';
import { listPrograms, type ProcessPlan, type ProgramPlan } from '../core/role-plan.ts';
import { environment } from '../platform/config.ts';
import { sourceRoot } from '../platform/paths.ts';
import { postgresqlProgram } from '../platform/postgresql.ts';
import { canExecute, canRead, findUser } from '../platform/system-user.ts';
import type { Program } from '../supervisor/supervisor.ts';
import type { Node } from './node.ts';

/** Small young generations: an idle process keeps little, and a busy one collects more often. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--v8-pool-size=2',
];
const ENTRY = join(sourceRoot, 'src', 'main.ts');

/** How the planned processes are run on this node. */
export async function programsOf(node: Node, plans: readonly ProcessPlan[]): Promise<Program[]> {
  const canDrop = await canDropPrivileges(node);
  return listPrograms(plans).map((plan) => ({
    name: plan.name,
    command: commandOf(node, plan),
    environment: environmentOf(node, plan, canDrop),
    ...(plan.account === 'postgres' || (plan.account === 'stackato' && canDrop) ? { user: plan.account } : {}),
    directory: '/',
    priority: plan.startPhase * 100,
    stopWaitS: plan.stopWaitS,
    ...(plan.outlivedByCharges ? { isOutlivedByCharges: true } : {}),
    ...(plan.name === 'postgresql' ? { stopSignal: 'INT' as const } : {}),
  }));
}

/** Can the platform's own account run the source and reach its state? A checkout below /root, for one, is closed to it. */
export async function canDropPrivileges(node: Pick<Node, 'paths'>): Promise<boolean> {
  const user = await findUser('stackato');
  if (user === undefined) return false;
  const reachable = [canExecute(user, process.execPath), canRead(user, ENTRY), canExecute(user, node.paths.state)];
  return (await Promise.all(reachable)).every(Boolean);
}

function commandOf(node: Node, plan: ProgramPlan): string[] {
  if (plan.name === 'nats') return ['/usr/sbin/nats-server', '-c', join(node.paths.nats, 'nats.conf')];
  if (plan.name === 'postgresql') return postgresqlProgram(node.paths);
  return [process.execPath, ...NODE_FLAGS, ENTRY, plan.processes.map(({ name }) => name).join('+')];
}

function environmentOf(node: Node, plan: ProgramPlan, canDrop: boolean): Record<string, string> {
  if (plan.name === 'nats' || plan.name === 'postgresql') return {};
  const { staging } = node.config;
  return {
    STACKATO_STATE: node.paths.state,
    STACKATO_LOG_LEVEL: environment.logLevel,
    NODE_ENV: 'production',
    // Each further arena keeps freed memory of its own.
    MALLOC_ARENA_MAX: '1',
    // One per account, so that nobody runs what another compiled.
    NODE_COMPILE_CACHE: join(node.paths.run, 'compiled', canDrop ? plan.account : 'root'),
    // The stager itself fetches buildpacks by URL.
    ...(plan.processes.some(({ name }) => name === 'stager') && staging.caFile !== ''
      ? { NODE_EXTRA_CA_CERTS: staging.caFile }
      : {}),
  };
}
