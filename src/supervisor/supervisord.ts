import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exec } from '../platform/exec.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { endOrphans, listOrphans, STATE_VARIABLE } from './orphans.ts';
import {
  type Orphan,
  type Program,
  StartFailed,
  type SupervisedProcess,
  type SupervisedState,
  type Supervisor,
} from './supervisor.ts';
import { formatSupervisordConfig, type SupervisordSettings } from './supervisord-config.ts';
import { callRpc, RpcFault, type RpcValue } from './xml-rpc.ts';

const FAULT = { badName: 10, abnormalEnd: 40, spawnError: 50, notRunning: 70, alreadyStarted: 60, stillRunning: 91 };
/** As long as a process has to become ready; a busy machine takes long to start nine at once. */
const START_WAIT_LIMIT_MS = 90_000;
const STOP_WAIT_LIMIT_MS = 120_000;

export type SupervisordOptions = Omit<SupervisordSettings, 'openFiles'> & {
  /** The node's state folder, by which its processes are told from those of other nodes on the machine. */
  readonly state: string;
  /** Environment of supervisord and, before their own variables, of its programs. */
  readonly environment: Readonly<Record<string, string>>;
};

/** supervisord of the Debian package, spoken to over XML-RPC on loopback. */
export class Supervisord implements Supervisor {
  readonly #options: SupervisordOptions;
  readonly #configFile: string;
  #programs: readonly Program[] = [];

  constructor(options: SupervisordOptions) {
    this.#options = options;
    this.#configFile = join(options.folder, 'supervisord.conf');
  }

  async isRunning(): Promise<boolean> {
    try {
      await this.#call('supervisor.getState');
      return true;
    } catch (error) {
      if (isRefused(error)) return false;
      throw error;
    }
  }

  async ensureRunning(): Promise<void> {
    if (await this.isRunning()) return;
    await endOrphans(this.#scope(), this.#programs, 'succeed');
    const env = { ...this.#options.environment, [STATE_VARIABLE]: this.#options.state };
    await exec(['supervisord', '-c', this.#configFile], { env, timeoutMs: 20_000 });
    await until(() => this.isRunning(), 10_000, 'supervisord did not answer after it was started');
  }

  async configure(programs: readonly Program[]): Promise<void> {
    const settings = { ...this.#options, openFiles: await openFilesLimit() };
    await writeFileAtomic(this.#configFile, formatSupervisordConfig(settings, programs), 0o600);
    this.#programs = programs;
    if (!(await this.isRunning())) return;
    const [added, changed, removed] = decodeChanges(await this.#call('supervisor.reloadConfig'));
    const running = new Set((await this.list()).filter(isUp).map(({ name }) => name));
    const succeeds = (name: string) => programs.some((one) => one.name === name && one.isOutlivedByCharges);
    await Promise.all([
      ...changed.map((name) => (succeeds(name) ? this.#end(name) : this.stop(name))),
      ...removed.map((name) => this.stop(name)),
    ]);
    for (const name of [...changed, ...removed]) await this.#call('supervisor.removeProcessGroup', [name]);
    for (const name of [...added, ...changed]) await this.#call('supervisor.addProcessGroup', [name]);
    await Promise.all(changed.filter((name) => running.has(name)).map((name) => this.start(name)));
  }

  async list(): Promise<SupervisedProcess[]> {
    const all = await this.#call('supervisor.getAllProcessInfo');
    return Array.isArray(all) ? all.map(decodeProcess) : [];
  }

  async start(name: string): Promise<void> {
    // Whoever began to stop it may have been killed since.
    const isStopping = async () => (await this.list()).some((one) => one.name === name && one.state === 'STOPPING');
    await until(async () => !(await isStopping()), STOP_WAIT_LIMIT_MS, `${name} did not stop`);
    try {
      await this.#call('supervisor.startProcess', [name, true], START_WAIT_LIMIT_MS);
    } catch (error) {
      if (isFault(error, FAULT.alreadyStarted)) return;
      if (!isFault(error, FAULT.abnormalEnd, FAULT.spawnError)) throw error;
      throw new StartFailed(`${name} ended at once; its last lines:\n${await this.#lastLines(name)}`, { cause: error });
    }
  }

  async stop(name: string): Promise<void> {
    await until(() => this.#tryStop(name), STOP_WAIT_LIMIT_MS, `${name} did not stop`);
  }

  async signal(name: string, signal: 'USR1' | 'USR2' | 'HUP' | 'KILL'): Promise<void> {
    try {
      await this.#call('supervisor.signalProcess', [name, signal]);
    } catch (error) {
      if (!isFault(error, FAULT.notRunning)) throw error;
    }
  }

  listOrphans(programs: readonly Program[]): Promise<Orphan[]> {
    return listOrphans(this.#scope(), programs);
  }

  stopOrphans(programs: readonly Program[]): Promise<void> {
    return endOrphans(this.#scope(), programs, 'stop');
  }

  async shutdown(): Promise<void> {
    if (!(await this.isRunning())) return;
    const pid = Number(await this.#call('supervisor.getPID'));
    await this.#call('supervisor.shutdown');
    await until(async () => !isAlive(pid), STOP_WAIT_LIMIT_MS, 'supervisord did not end');
  }

  /**
   * Ends a program without what it looks after, and keeps it from being started again as it was. By SIGKILL, which leaves
   * the same: of SIGUSR2 and the stop signal right after it, the program may see the second first. Both in one request,
   * which supervisord answers without looking at its processes in between.
   */
  async #end(name: string): Promise<void> {
    const calls = [
      { methodName: 'supervisor.signalProcess', params: [name, 'KILL'] },
      { methodName: 'supervisor.stopProcess', params: [name, false] },
    ];
    await this.#call('system.multicall', [calls]);
    await this.stop(name);
  }

  /** A program that just ended may be between two starts, where supervisord refuses to stop it: look again then. */
  async #tryStop(name: string): Promise<boolean> {
    try {
      await this.#call('supervisor.stopProcess', [name, true], STOP_WAIT_LIMIT_MS);
    } catch (error) {
      if (isFault(error, FAULT.badName)) return true;
      if (!isFault(error, FAULT.notRunning)) throw error;
    }
    const found = (await this.list()).find((process) => process.name === name);
    return found === undefined || found.state === 'STOPPED' || found.state === 'FATAL';
  }

  #scope() {
    return { state: this.#options.state, configFile: this.#configFile };
  }

  async #lastLines(name: string): Promise<string> {
    const tail = await this.#call('supervisor.tailProcessStdoutLog', [name, 0, 2000]);
    return Array.isArray(tail) ? String(tail[0]).trim().split('\n').slice(-8).join('\n') : '';
  }

  #call(method: string, params: readonly RpcValue[] = [], timeoutMs?: number): Promise<RpcValue> {
    return callRpc(this.#options, method, params, timeoutMs);
  }
}

function isUp(process: SupervisedProcess): boolean {
  return process.state === 'RUNNING' || process.state === 'STARTING' || process.state === 'BACKOFF';
}

function decodeProcess(value: RpcValue): SupervisedProcess {
  const fields = value as Readonly<Record<string, RpcValue>>;
  return {
    name: String(fields.name),
    state: String(fields.statename) as SupervisedState,
    pid: Number(fields.pid),
    startedAtS: Number(fields.start),
    description: String(fields.description),
    logFile: String(fields.stdout_logfile),
  };
}

function decodeChanges(value: RpcValue): [string[], string[], string[]] {
  const lists = Array.isArray(value) && Array.isArray(value[0]) ? value[0] : [];
  const names = (index: number) => (Array.isArray(lists[index]) ? lists[index].map(String) : []);
  return [names(0), names(1), names(2)];
}

function isFault(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof RpcFault && codes.includes(error.code);
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** supervisord refuses to start when it may not raise its limit this far. */
async function openFilesLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '1024';
  return hard === 'unlimited' ? 65_536 : Math.min(65_536, Number(hard));
}

async function until(check: () => Promise<boolean>, timeoutMs: number, failure: string): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > endMs) throw new Error(`${failure} within ${timeoutMs / 1000} s`);
    await delay(50);
  }
}
