import { chmod, mkdir, stat } from 'node:fs/promises';
import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import type { Clock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { isMissing, readJsonIfExists, readTextIfExists, writeFileAtomic } from '../../platform/files.ts';
import { AdminError, AdminSocket } from './admin-socket.ts';
import { filesOf, fingerprint, type HaproxyOptions, renderConfig, renderHead } from './config-file.ts';
import { FAILED_SCRIPT, failedRules } from './failed-answer.ts';
import { requireFreePort } from './port-owner.ts';
import { TABLE_BACKEND, TABLE_SERVER } from './rules.ts';
import { identify } from './running.ts';
import type { Slots } from './slots.ts';

/** What must be known to take over a HAProxy that a predecessor started. */
const StateFile = Type.Object({
  sinkPort: Type.Integer(),
  /** HAProxy processes that were replaced and may still finish requests. */
  retired: Type.Array(Type.Integer(), { default: [] }),
});

/** HAProxy as a process: detached from this one, found again by its pid file and admin socket. */
export class HaproxyProcess {
  readonly admin: AdminSocket;
  readonly #options: HaproxyOptions;
  readonly #files: ReturnType<typeof filesOf>;
  readonly #clock: Clock;
  #pid = 0;
  #retired: number[] = [];
  #sinkPort = 0;

  constructor(options: HaproxyOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#files = filesOf(options.directory);
    this.admin = new AdminSocket(this.#files.socket);
  }

  get pid(): number {
    return this.#pid;
  }

  /** The port of the access log's sink that a predecessor used; 0 when there was none. */
  async formerSinkPort(): Promise<number> {
    const value = await readJsonIfExists(this.#files.state);
    if (value === undefined) return 0;
    const state = decode(StateFile, value, this.#files.state);
    this.#retired = state.retired;
    this.#sinkPort = state.sinkPort;
    return state.sinkPort;
  }

  /** Finds a HAProxy that a predecessor left running, and whether its configuration is what ours would be. */
  async find(sinkPort: number): Promise<{ isCurrent: boolean } | undefined> {
    const pid = Number((await readTextIfExists(this.#files.pid))?.trim() || 0);
    if (pid === 0 || !(await isAlive(pid))) return undefined;
    const running = await this.#identified();
    if (running?.pid !== pid) return undefined;
    this.#pid = pid;
    const isCurrent = running.description === (await this.#describe(sinkPort)).description;
    this.#sinkPort = sinkPort;
    return { isCurrent };
  }

  /**
   * Starts HAProxy, or replaces the running one without closing its ports, with the routes of `slots`.
   *
   * @throws Error when a port is taken, ExecError with HAProxy's own words when it cannot start
   */
  async launch(slots: Slots, sinkPort: number): Promise<void> {
    const former = this.#pid !== 0 && (await isAlive(this.#pid)) ? this.#pid : 0;
    if (former === 0) await this.#requirePorts();
    await this.#write(slots, sinkPort);
    // Without a cache that its threads share, HAProxy goes to malloc for each buffer past the first two dozen.
    const replace = former === 0 ? [] : ['-x', this.#files.socket, '-sf', String(former)];
    await exec(['haproxy', '-dMglobal', '-D', '-f', this.#files.config, '-p', this.#files.pid, ...replace]);
    this.#pid = await this.#settled(former);
    this.#sinkPort = sinkPort;
    if (former !== 0) this.#retired = [...(await alive(this.#retired)), former];
    await this.#remember();
  }

  /** Has health checks told whether the table is current. */
  async vouch(isCurrent: boolean): Promise<void> {
    await this.admin.run([`set server ${TABLE_BACKEND}/${TABLE_SERVER} state ${isCurrent ? 'ready' : 'maint'}`]);
  }

  isAlive(): Promise<boolean> {
    return this.#pid === 0 ? Promise.resolve(false) : isAlive(this.#pid);
  }

  /** Lets open requests finish for a while, then ends it. */
  async stop(): Promise<void> {
    const pids = [...(await alive(this.#retired)), this.#pid].filter((pid) => pid !== 0);
    this.#pid = 0;
    this.#retired = [];
    for (const [signal, waitMs] of [
      ['SIGUSR1', this.#options.drainMs],
      ['SIGTERM', 2000],
      ['SIGKILL', 2000],
    ] as const) {
      for (const pid of await alive(pids)) kill(pid, signal);
      if (await this.#ended(pids, waitMs)) return;
    }
    throw new Error(`HAProxy (pid ${pids.join(', ')}) does not end`);
  }

  async #ended(pids: readonly number[], waitMs: number): Promise<boolean> {
    const deadlineMs = this.#clock.nowMs() + waitMs;
    while ((await alive(pids)).length > 0) {
      if (this.#clock.nowMs() > deadlineMs) return false;
      await this.#clock.sleep(20);
    }
    return true;
  }

  async #write(slots: Slots, sinkPort: number): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    await chmod(this.#options.directory, 0o700);
    const { head, description } = await this.#describe(sinkPort);
    const { backends, routes, instances } = slots.render();
    const certificates = this.#options.certificates.map((path) => `${path}\n`).join('');
    await writeFileAtomic(this.#files.routes, routes, 0o600);
    await writeFileAtomic(this.#files.instances, instances, 0o600);
    await writeFileAtomic(this.#files.certificates, certificates, 0o600);
    await writeFileAtomic(this.#files.script, FAILED_SCRIPT, 0o600);
    const options = { ...this.#options, maxConnections: await this.#connections() };
    await writeFileAtomic(this.#files.config, renderConfig(options, head, description, backends), 0o600);
  }

  async #describe(sinkPort: number): Promise<{ head: string; description: string }> {
    const options = { ...this.#options, maxConnections: await this.#connections() };
    const head = renderHead(options, sinkPort, await hasIpv6());
    const { certificates, endpointTls } = this.#options;
    const files = [...certificates, endpointTls?.caFile, endpointTls?.certificate].filter((path) => path !== undefined);
    const changed = await Promise.all(files.map(changedAt));
    const outside = JSON.stringify([
      changed,
      FAILED_SCRIPT,
      failedRules,
      this.#options.threads,
      this.#options.minTlsVersion,
    ]);
    return { head, description: fingerprint(head + outside) };
  }

  /** HAProxy refuses to start when the limit of open files is below two for each connection. */
  async #connections(): Promise<number> {
    const limits = (await readTextIfExists('/proc/self/limits')) ?? '';
    const files = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
    return Math.min(this.#options.maxConnections, Math.floor(files / 2) - 100);
  }

  async #requirePorts(): Promise<void> {
    await requireFreePort(this.#options.httpPort, this.#options.address);
    if (this.#options.certificates.length > 0) await requireFreePort(this.#options.httpsPort, this.#options.address);
  }

  async #settled(former: number): Promise<number> {
    const deadlineMs = this.#clock.nowMs() + 10_000;
    for (;;) {
      const running = await this.#identified();
      if (running && running.pid !== former) return running.pid;
      if (this.#clock.nowMs() > deadlineMs) throw new Error('HAProxy was started but its admin socket does not answer');
      await this.#clock.sleep(10);
    }
  }

  async #identified(): Promise<{ pid: number; description: string } | undefined> {
    try {
      return await identify(this.admin);
    } catch (error) {
      if (error instanceof AdminError) return undefined;
      throw error;
    }
  }

  async #remember(): Promise<void> {
    const state = { sinkPort: this.#sinkPort, retired: this.#retired };
    await writeFileAtomic(this.#files.state, `${JSON.stringify(state)}\n`, 0o600);
  }
}

/** Is this a live HAProxy? A zombie is not, nor is another process that got the number. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readProc(`/proc/${pid}/stat`);
  const match = status && /^\d+ \((.*)\) (\w)/.exec(status);
  return Boolean(match && match[1] === 'haproxy' && match[2] !== 'Z' && match[2] !== 'X');
}

async function alive(pids: readonly number[]): Promise<number[]> {
  const states = await Promise.all(pids.map(isAlive));
  return pids.filter((_pid, i) => states[i]);
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readTextIfExists(path);
  } catch (error) {
    // The process ended between open and read.
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return undefined;
    throw error;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) throw new Error(`${path}, a certificate of the router, does not exist`, { cause: error });
    throw error;
  }
}

async function hasIpv6(): Promise<boolean> {
  return ((await readTextIfExists('/proc/net/if_inet6')) ?? '').trim() !== '';
}
