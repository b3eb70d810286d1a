import { readFile } from 'node:fs/promises';
import type { Clock } from '../platform/clock.ts';
import { exec } from '../platform/exec.ts';
import type { Log } from '../platform/log.ts';
import type { Nginx, RouterAddress } from './nginx/nginx.ts';
import { checkRouter, judge, type Opinion } from './router-check.ts';

const WATCH_MS = 1000;

/** Where the routers of the cluster are. */
export interface RouterList {
  routers(): readonly { readonly id: string; readonly address: string }[];
  onChange(listener: () => void): Disposable;
}

export type BalancerOptions = {
  readonly nginx: Nginx;
  readonly list: RouterList;
  readonly clock: Clock;
  readonly log: Log;
  readonly routerPort: number;
  readonly routerName: string;
  readonly routerAuthority: string;
  readonly checkMs: number;
  readonly checkTimeoutMs: number;
};

/** Keeps nginx running, and its requests on those routers of the cluster that are well. */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #opinions = new Map<string, Opinion>();
  readonly #timers: Disposable[] = [];
  #routed: string | undefined;
  #trouble: string | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #counts = { connections: 0, requests: 0 };

  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /** Takes over nginx or starts it; accepts requests from then on. */
  async start(): Promise<void> {
    const { nginx, clock, log, list, checkMs } = this.#options;
    const isAdopted = await nginx.adopt();
    await this.#serially(() => this.#check());
    const did = await nginx.ensure();
    log.info(isAdopted ? 'adopted-nginx' : 'started-nginx', { pid: nginx.pid, did, routers: this.#addresses().length });
    this.#timers.push(
      list.onChange(() => void this.#serially(() => this.#check())),
      clock.every(checkMs, () => this.#serially(() => this.#check())),
      clock.every(WATCH_MS, () => this.#serially(() => this.#watch())),
    );
  }

  /** Ends this control side; nginx goes on when a successor will adopt it, else it finishes its requests and ends. */
  async stop(leaveRunning: boolean): Promise<void> {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    await this.#tail;
    if (!leaveRunning) await this.#options.nginx.stop();
  }

  unwell(): string | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    return this.#addresses().length === 0 ? `no router is up: ${this.#describe()}` : undefined;
  }

  varz(): Record<string, unknown> {
    const routers = this.#options.list.routers().map(({ id, address }) => {
      const opinion = this.#opinions.get(address);
      return { id, address, is_up: opinion?.isUp ?? false, problem: opinion?.why ?? 'not asked yet' };
    });
    return { routers, nginx_pid: this.#options.nginx.pid, ...this.#counts };
  }

  #addresses(): RouterAddress[] {
    const { list, routerPort } = this.#options;
    const up = list.routers().filter(({ address }) => this.#opinions.get(address)?.isUp);
    // One that was cut off knows old routes; without the bus all of them do, and serve on.
    const current = up.filter(({ address }) => !this.#opinions.get(address)?.isBehind);
    return (current.length > 0 ? current : up).map(({ address }) => ({ host: address, port: routerPort }));
  }

  #describe(): string {
    const { list } = this.#options;
    const all = list
      .routers()
      .map(({ address }) => `${address} (${this.#opinions.get(address)?.why ?? 'not asked yet'})`);
    return all.length === 0 ? 'the cluster has no node with the role router' : all.join(', ');
  }

  /** Asks every router at once, and tells nginx when the list of those that are well changed. */
  async #check(): Promise<void> {
    const { list, routerPort: port, routerName: name, checkTimeoutMs: timeoutMs, log } = this.#options;
    const ca = await readFile(this.#options.routerAuthority, 'utf8');
    const addresses = list.routers().map(({ address }) => address);
    for (const known of [...this.#opinions.keys()].filter((one) => !addresses.includes(one)))
      this.#opinions.delete(known);
    const lost: string[] = [];
    await Promise.all(
      addresses.map(async (host) => {
        const before = this.#opinions.get(host);
        const after = judge(before, await checkRouter({ host, port }, { name, ca, timeoutMs }));
        this.#opinions.set(host, after);
        if (before?.isUp === after.isUp) return;
        if (!after.isUp && before !== undefined) lost.push(host);
        if (after.isUp) log.info('found-router-up', { router: host });
        else log.warn('found-router-down', { router: host, because: after.why });
      }),
    );
    await this.#route();
    for (const host of lost) await this.#cut(host);
  }

  async #route(): Promise<void> {
    const routers = this.#addresses();
    const text = JSON.stringify(routers);
    if (text === this.#routed) return;
    await this.#options.nginx.route(routers);
    this.#routed = text;
    this.#options.log.info('routed', { routers: routers.map(({ host }) => host) });
  }

  /**
   * Ends our connections to a router that is lost. A machine that vanished closes nothing: without this its requests
   * would wait for minutes before they are sent to another router.
   */
  async #cut(host: string): Promise<void> {
    const filter = ['dst', host, 'dport', '=', `:${this.#options.routerPort}`];
    await exec(['ss', '-K', '-t', '-H', 'state', 'connected', ...filter], { okCodes: [0, 1, 255], timeoutMs: 5000 });
  }

  async #watch(): Promise<void> {
    const { nginx, log } = this.#options;
    try {
      const wasAlive = await nginx.isAlive();
      if (!wasAlive) log.error('lost-nginx', { pid: nginx.pid });
      const did = await nginx.ensure();
      if (did !== 'unchanged') log.info(`${did}-nginx`, { pid: nginx.pid });
      await nginx.rotateLog();
      this.#counts = await nginx.counts();
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = `nginx: ${error instanceof Error ? error.message : String(error)}`;
      log.error('failed-to-keep-nginx', { error });
    }
  }

  #serially(task: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(task);
    this.#tail = done.catch((error: unknown) => {
      this.#trouble = error instanceof Error ? error.message : String(error);
      this.#options.log.error('failed-to-balance', { error });
    });
    return done;
  }
}
