import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Orphan, Program } from './supervisor.ts';

/** Variable by which a node's processes are told from those of other nodes on the machine. */
export const STATE_VARIABLE = 'STACKATO_STATE';

/** Whose orphans: those of the node with this state folder, whose supervisord runs with this configuration file. */
export type OrphanScope = { readonly state: string; readonly configFile: string };

const KILL_WAIT_MS = 10_000;

/** The programs, of these, that run without the supervisord that started them. */
export async function listOrphans(scope: OrphanScope, programs: readonly Program[]): Promise<Orphan[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => findOrphan(scope, programs, pid)));
  return found.filter((orphan) => orphan !== undefined);
}

/** Is this one of a node's processes, or started by one? */
export async function isProcessOf(state: string, pid: number): Promise<boolean> {
  if (isOf({ state }, await readWords(pid, 'environ'))) return true;
  // nginx writes over its variables; its master's title tells its files, its workers have the master.
  const title = (await readProc(pid, 'cmdline')).split(/[\0 ]/);
  if (!title[0]?.startsWith('nginx')) return false;
  if (title.some((word) => word.startsWith(`${state}/`))) return true;
  const { parent } = await readStat(pid);
  return parent > 1 && isProcessOf(state, parent);
}

/** Ends these programs' orphans, those that start latest first, and returns when none is left. */
export async function endOrphans(
  scope: OrphanScope,
  programs: readonly Program[],
  intent: 'succeed' | 'stop',
): Promise<void> {
  const priorities = [...new Set(programs.map(({ priority }) => priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    const group = programs.filter((program) => program.priority === priority);
    const orphans = await listOrphans(scope, group);
    await Promise.all(
      orphans.map(async ({ name, pid }) => {
        const program = group.find((one) => one.name === name);
        if (program !== undefined) await end(scope, program, pid, intent);
      }),
    );
  }
}

async function end(scope: OrphanScope, program: Program, pid: number, intent: 'succeed' | 'stop'): Promise<void> {
  const isThere = async () => (await findOrphan(scope, [program], pid)) !== undefined;
  const gentle = intent === 'succeed' && program.isOutlivedByCharges ? 'USR2' : (program.stopSignal ?? 'TERM');
  signalIfThere(pid, `SIG${gentle}`);
  if (await isGoneWithin(isThere, program.stopWaitS * 1000)) return;
  signalIfThere(pid, 'SIGKILL');
  if (await isGoneWithin(isThere, KILL_WAIT_MS)) return;
  throw new Error(`${program.name} (process ${pid}), left by a supervisord that was killed, does not end by SIGKILL`);
}

async function isGoneWithin(isThere: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const endMs = Date.now() + timeoutMs;
  while (await isThere()) {
    if (Date.now() > endMs) return false;
    await delay(50);
  }
  return true;
}

/**
 * What a program started (a proxy, container monitors, a database's workers) inherits its variables: only the program itself
 * leads the process group that supervisord gave it, runs the program's own file, and is no child of the same program.
 */
async function findOrphan(scope: OrphanScope, programs: readonly Program[], pid: number): Promise<Orphan | undefined> {
  const variables = await readWords(pid, 'environ');
  if (!isOf(scope, variables)) return undefined;
  const program = programs.find(({ name }) => variables.includes(`SUPERVISOR_PROCESS_NAME=${name}`));
  const [file = ''] = await readWords(pid, 'cmdline');
  if (program === undefined || basename(file) !== basename(program.command[0] ?? '')) return undefined;
  const { parent, group } = await readStat(pid);
  if (group !== pid) return undefined;
  if ((await readWords(parent, 'cmdline')).includes(scope.configFile)) return undefined;
  const above = await readWords(parent, 'environ');
  if (isOf(scope, above) && above.includes(`SUPERVISOR_PROCESS_NAME=${program.name}`)) return undefined;
  return { name: program.name, pid };
}

function isOf({ state }: Pick<OrphanScope, 'state'>, variables: readonly string[]): boolean {
  return variables.includes('SUPERVISOR_ENABLED=1') && variables.includes(`${STATE_VARIABLE}=${state}`);
}

async function readStat(pid: number): Promise<{ parent: number; group: number }> {
  // The name, in parentheses, may hold spaces and parentheses itself.
  const fields = (await readProc(pid, 'stat')).split(')').at(-1)?.trim().split(' ') ?? [];
  return { parent: Number(fields[1] ?? 0), group: Number(fields[2] ?? 0) };
}

async function readWords(pid: number, file: 'environ' | 'cmdline'): Promise<string[]> {
  return (await readProc(pid, file)).split('\0').slice(0, -1);
}

/** Empty for a process that is gone, and for one that we may not read: that is nobody's of this node. */
async function readProc(pid: number, file: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && GONE.includes(String(error.code))) return '';
    throw error;
  }
}

const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'];

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
