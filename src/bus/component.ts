import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { subjects } from '../contract/subjects.ts';
import type { Boot } from '../platform/config.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Bus } from './bus.ts';

/** One `/metrics` registry per process. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });

export type ComponentOptions = {
  /** CloudController, DEA, HealthManager, Router, Stager, … */
  readonly type: string;
  readonly bus: Bus;
  readonly boot: Pick<Boot, 'node' | 'clock' | 'random' | 'log' | 'process'>;
  /** The component's own `/varz` keys, computed at most once a second. */
  readonly varz?: () => Record<string, unknown>;
  /** Undefined when well, else why not; `/healthz` answers 503 with it. */
  readonly unwell?: () => string | undefined;
  /** Status port; default: any free one. */
  readonly port?: number;
};

/** Announces a component on the bus and serves its `/healthz`, `/varz` and `/metrics` on loopback behind Basic auth. */
export function componentPart(options: ComponentOptions): Part {
  return { name: `component ${options.type}`, start: () => startComponent(options) };
}

async function startComponent(options: ComponentOptions): Promise<AsyncDisposable> {
  const { boot, bus } = options;
  const startedMs = boot.clock.nowMs();
  const credentials = [boot.random.hex(16), boot.random.hex(16)];
  const listenAddress = '127.0.0.1';
  const status = new StatusPages(options, startedMs, credentials);
  const server = createServer((request, response) => void status.answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, listenAddress, resolve);
  });
  const announcement = () => ({
    type: options.type,
    index: boot.node.index,
    uuid: `${boot.node.index}-${boot.node.id}`,
    host: `${listenAddress}:${(server.address() as AddressInfo).port}`,
    credentials,
    start: formatStart(startedMs),
    process: boot.process,
    pid: process.pid,
  });
  status.identity = announcement;
  const subscription = bus.subscribe(subjects.componentDiscover, [], (_empty, message) =>
    message.respond({ ...announcement(), uptime: formatUptime(boot.clock.nowMs() - startedMs) }),
  );
  bus.publish(subjects.componentAnnounce, [], announcement());
  return {
    [Symbol.asyncDispose]: async () => {
      subscription[Symbol.dispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class StatusPages {
  identity: () => Record<string, unknown> = () => ({});
  readonly #options: ComponentOptions;
  readonly #startedMs: number;
  readonly #expected: Buffer;
  #cached = { atMs: 0, body: '' };

  constructor(options: ComponentOptions, startedMs: number, credentials: readonly string[]) {
    this.#options = options;
    this.#startedMs = startedMs;
    this.#expected = Buffer.from(`Basic ${Buffer.from(credentials.join(':')).toString('base64')}`);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== this.#expected.length || !timingSafeEqual(given, this.#expected)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="status"' }).end();
      return;
    }
    const unwell = this.#options.unwell?.();
    if (request.url === '/healthz') {
      response.writeHead(unwell === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${unwell ?? 'ok'}\n`);
    } else if (request.url === '/varz') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(this.#varz());
    } else if (request.url === '/metrics') {
      response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.metrics());
    } else {
      response.writeHead(404).end();
    }
  }

  #varz(): string {
    const nowMs = this.#options.boot.clock.nowMs();
    if (nowMs - this.#cached.atMs < 1000) return this.#cached.body;
    const values = {
      ...this.identity(),
      credentials: undefined,
      uptime: formatUptime(nowMs - this.#startedMs),
      num_cores: cpus().length,
      cpu_load_avg: loadavg()[0],
      mem_bytes: totalmem(),
      mem_used_bytes: totalmem() - freemem(),
      mem_free_bytes: freemem(),
      rss_bytes: process.memoryUsage.rss(),
      ...this.#options.varz?.(),
    };
    this.#cached = { atMs: nowMs, body: `${JSON.stringify(values, null, 2)}\n` };
    return this.#cached.body;
  }
}

function formatStart(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} +0000`;
}

/** `0d:3h:22m:31s`, as the original's status pages write an uptime. */
export function formatUptime(ms: number): string {
  const s = Math.floor(ms / 1000);
  return `${Math.floor(s / 86_400)}d:${Math.floor(s / 3600) % 24}h:${Math.floor(s / 60) % 60}m:${s % 60}s`;
}
