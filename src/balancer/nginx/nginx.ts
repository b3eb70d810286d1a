import { chmod, copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { isMissing, readTextIfExists, writeFileAtomic } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import { requireFreePort } from '../../proxy/haproxy/port-owner.ts';
import { readCertificates } from './certificates.ts';
import { filesOf, fingerprint, type NginxOptions, renderConfig } from './config-file.ts';
import { ask, ControlError } from './control-socket.ts';
import { isNginx, listHolders, listNginx, signalAll } from './found-process.ts';

const STEER = fileURLToPath(new URL('./steer.lua', import.meta.url));
const SETTLE_MS = 10_000;
const MOST_LOG_BYTES = 10_000_000;

export type RouterAddress = { readonly host: string; readonly port: number };

/**
 * nginx as a process: detached from this one, found again by its pid file and control socket. Routers are told to it at
 * run time; only settings and certificates need a reload.
 */
export class Nginx {
  readonly #options: NginxOptions;
  readonly #files: ReturnType<typeof filesOf>;
  readonly #log: Log;
  readonly #clock: Clock;
  #pid = 0;
  #version = '';

  constructor(options: NginxOptions, { log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#options = options;
    this.#files = filesOf(options.directory);
    this.#log = log;
    this.#clock = clock;
  }

  get pid(): number {
    return this.#pid;
  }

  isAlive(): Promise<boolean> {
    return this.#pid === 0 ? Promise.resolve(false) : isNginx(this.#pid);
  }

  /** Takes over the nginx that a predecessor left running; false when there is none. */
  async adopt(): Promise<boolean> {
    const pid = Number((await readTextIfExists(this.#files.pid))?.trim() || 0);
    if (pid === 0 || !(await isNginx(pid)) || !(await listHolders(this.#files.socket)).includes(pid)) return false;
    this.#pid = pid;
    this.#version = await this.#runningVersion();
    return true;
  }

  /**
   * Starts nginx, or gives the running one its new settings and certificates when they changed; gives what was done.
   *
   * @throws ExecError with nginx's own words when it refuses its configuration or can't start
   */
  async ensure(): Promise<'started' | 'reloaded' | 'unchanged'> {
    const isRunning = await this.isAlive();
    const { text, version } = await this.#render();
    if (isRunning && version === this.#version) return 'unchanged';
    await this.#write(text);
    if (isRunning) process.kill(this.#pid, 'SIGHUP');
    else await this.#launch();
    await this.#settled(version);
    return isRunning ? 'reloaded' : 'started';
  }

  /** Sends requests to these routers from now on. The list outlives nginx. */
  async route(routers: readonly RouterAddress[]): Promise<void> {
    const text = routers.map(({ host, port }) => `${host} ${port}\n`).join('');
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#files.routers, text, 0o600);
    if (this.#pid !== 0) await ask(this.#files.socket, '/routers', text);
  }

  /** Connections and requests, as nginx counts them since its start. */
  async counts(): Promise<{ connections: number; requests: number }> {
    const text = await ask(this.#files.socket, '/counts');
    const [, , requests = 0] = (/^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/m.exec(text) ?? []).slice(1).map(Number);
    return { connections: Number(/Active connections: (\d+)/.exec(text)?.[1] ?? 0), requests };
  }

  /** Starts a new log of errors when the old one is long; one old one is kept. */
  async rotateLog(): Promise<void> {
    const size = (await readSize(this.#files.errors)) ?? 0;
    if (size < MOST_LOG_BYTES || !(await this.isAlive())) return;
    await rename(this.#files.errors, `${this.#files.errors}.1`);
    process.kill(this.#pid, 'SIGUSR1');
  }

  /** Lets open requests finish for a while, then ends it. */
  async stop(): Promise<void> {
    // Workers of former configurations no longer listen; they are found as children.
    const pids = [...new Set([this.#pid, ...(await this.#family())])].filter((pid) => pid !== 0);
    this.#pid = 0;
    for (const [signal, waitMs] of [
      ['SIGQUIT', this.#options.drainMs],
      ['SIGTERM', 2000],
      ['SIGKILL', 2000],
    ] as const) {
      signalAll(await listNginx(pids), signal);
      if (await this.#ended(pids, waitMs)) return;
    }
    throw new Error(`nginx (pid ${pids.join(', ')}) does not end`);
  }

  async #launch(): Promise<void> {
    await this.#endOrphans();
    await rm(this.#files.socket, { force: true });
    for (const port of [this.#options.httpPort, this.#options.httpsPort]) {
      await requireFreePort(port, this.#options.address);
    }
    await exec([...this.#command(this.#files.config)]);
    const deadlineMs = this.#clock.nowMs() + SETTLE_MS;
    for (;;) {
      this.#pid = Number((await readTextIfExists(this.#files.pid))?.trim() || 0);
      if (await this.isAlive()) return;
      if (this.#clock.nowMs() > deadlineMs) throw new Error('nginx was started but wrote no pid file');
      await this.#clock.sleep(10);
    }
  }

  /** Workers whose master was killed still listen: they must let go of the ports, and may finish their requests. */
  async #endOrphans(): Promise<void> {
    const orphans = await listHolders(this.#files.socket);
    if (orphans.length === 0) return;
    this.#log.warn('found-workers-without-master', { pids: orphans });
    signalAll(orphans, 'SIGQUIT');
    const deadlineMs = this.#clock.nowMs() + 2000;
    while ((await listHolders(this.#files.socket)).length > 0 && this.#clock.nowMs() < deadlineMs) {
      await this.#clock.sleep(20);
    }
  }

  async #render(): Promise<{ text: string; version: string }> {
    const { defaultCertificate, certificates: folder } = this.#options;
    const { certificates, stamp, faults } = await readCertificates(defaultCertificate, folder);
    for (const fault of faults) this.#log.warn('left-out-certificate', { fault });
    const hasIpv6 = ((await readTextIfExists('/proc/net/if_inet6')) ?? '').trim() !== '';
    const limits = (await readTextIfExists('/proc/self/limits')) ?? '';
    const openFiles = Math.min(1_000_000, Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1_000_000));
    const render = (version: string) =>
      renderConfig({ options: this.#options, certificates, hasIpv6, openFiles, version });
    const authority = (await readSize(this.#options.routerAuthority)) ?? 0;
    const version = fingerprint(render(''), stamp, String(authority), await readFile(STEER, 'utf8'));
    return { text: render(version), version };
  }

  async #write(text: string): Promise<void> {
    const { directory } = this.#options;
    await mkdir(join(directory, 'tmp'), { recursive: true });
    await chmod(directory, 0o700);
    await copyFile(STEER, this.#files.steer);
    await writeFileAtomic(this.#files.candidate, text, 0o600);
    // A running nginx that dislikes its configuration says so only in its log.
    await exec([...this.#command(this.#files.candidate), '-t', '-q']);
    await rename(this.#files.candidate, this.#files.config);
  }

  #command(config: string): string[] {
    return ['nginx', '-p', dirname(this.#files.config), '-e', this.#files.errors, '-c', config];
  }

  async #settled(version: string): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + SETTLE_MS;
    for (;;) {
      this.#version = await this.#runningVersion();
      if (this.#version === version) return;
      if (this.#clock.nowMs() > deadlineMs)
        throw new Error(`nginx did not take its new settings; see ${this.#files.errors}`);
      await this.#clock.sleep(20);
    }
  }

  async #runningVersion(): Promise<string> {
    try {
      return await ask(this.#files.socket, '/version');
    } catch (error) {
      if (error instanceof ControlError) return '';
      throw error;
    }
  }

  async #family(): Promise<number[]> {
    const children = (await readTextIfExists(`/proc/${this.#pid}/task/${this.#pid}/children`)) ?? '';
    return [...(await listHolders(this.#files.socket)), ...children.split(' ').filter(Boolean).map(Number)];
  }

  async #ended(pids: readonly number[], waitMs: number): Promise<boolean> {
    const deadlineMs = this.#clock.nowMs() + waitMs;
    while ((await listNginx(pids)).length > 0) {
      if (this.#clock.nowMs() > deadlineMs) return false;
      await this.#clock.sleep(20);
    }
    return true;
  }
}

async function readSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
