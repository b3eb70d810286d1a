import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request as requestPlain, type ServerResponse } from 'node:http';
import { createServer, type RequestOptions, request as requestTls, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { systemClock } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { freePort } from '../platform/testing/free-port.ts';
import { ensureAuthority, ensureServerCertificate } from '../platform/tls.ts';
import { Balancer } from './balancer.ts';
import type { NginxOptions } from './nginx/config-file.ts';
import { Nginx } from './nginx/nginx.ts';

const DOMAIN = 'cloud.test';
const root = { name: 'root', uid: 0, gid: 0 };

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
export type FakeRouter = {
  readonly address: string;
  /** Requests for /health do not count. */
  readonly requests: () => number;
  /** Answers nothing from now on, as a machine that lost power. */
  readonly hang: () => void;
  /** Says from now on whether its routes may be old. */
  readonly fallBehind: (yes: boolean) => void;
  /** Breaks every connection and listens no more. */
  readonly kill: () => Promise<void>;
};
export type Reply = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string };

/** A real nginx on free loopback ports before routers that are small HTTPS servers; all of it is gone when disposed. */
export class BalancerRig implements AsyncDisposable {
  readonly folder: string;
  readonly options: NginxOptions;
  readonly routerPort: number;
  nginx: Nginx;
  balancer: Balancer;
  readonly #stack: AsyncDisposableStack;
  readonly #listeners = new Set<() => void>();
  #routers: { id: string; address: string }[] = [];
  #next = 1;

  private constructor(folder: string, stack: AsyncDisposableStack, options: NginxOptions, routerPort: number) {
    this.folder = folder;
    this.#stack = stack;
    this.options = options;
    this.routerPort = routerPort;
    this.nginx = new Nginx(options, tools);
    this.balancer = this.#build(options);
  }

  static async open(change: Partial<NginxOptions> = {}): Promise<BalancerRig> {
    const stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryDirectory('balancer'));
    const authority = { certificate: `${path}/ca.pem`, key: `${path}/ca.key` };
    await ensureAuthority(authority, { name: 'Test', owner: root });
    const options: NginxOptions = {
      directory: `${path}/run`,
      address: '127.0.0.1',
      httpPort: await freePort(),
      httpsPort: await freePort(),
      defaultCertificate: `${path}/router.pem`,
      certificates: `${path}/balancer.d`,
      minTlsVersion: 'TLSv1.2',
      routerAuthority: authority.certificate,
      routerName: DOMAIN,
      workers: 2,
      maxConnections: 1000,
      idleS: 60,
      connectTimeoutMs: 500,
      drainMs: 500,
      user: 'www-data',
      ...change,
    };
    const rig = new BalancerRig(path, stack, options, await freePort());
    await rig.certificate(options.defaultCertificate, `DNS:${DOMAIN}`, `DNS:*.${DOMAIN}`);
    return rig;
  }

  certificate(path: string, ...names: string[]): Promise<boolean> {
    const authority = { certificate: this.options.routerAuthority, key: `${this.folder}/ca.key` };
    return ensureServerCertificate(path, authority, { names, owner: root, nowMs: Date.now() });
  }

  /** A control side that takes over from the one before. */
  succeed(change: Partial<NginxOptions> = {}): Balancer {
    const options = { ...this.options, ...change };
    this.nginx = new Nginx(options, tools);
    this.balancer = this.#build(options);
    return this.balancer;
  }

  /** A router on an address of its own; it is in the cluster only once `list` names it. */
  async router(answer: Answer, onUpgrade?: (request: IncomingMessage, socket: Duplex) => void): Promise<FakeRouter> {
    const address = `127.0.77.${this.#next++}`;
    const pem = await readFile(this.options.defaultCertificate);
    let requests = 0;
    let isHung = false;
    let isBehind = false;
    const server = createServer({ cert: pem, key: pem, keepAliveTimeout: 75_000 }, (incoming, response) => {
      if (isHung) return;
      if (incoming.url === '/health') {
        if (isBehind) response.setHeader('X-Stackato-Table', '0');
        return void response.end('ok\n');
      }
      requests += 1;
      answer(incoming, response);
    });
    if (onUpgrade) server.on('upgrade', onUpgrade);
    server.listen(this.routerPort, address);
    await once(server, 'listening');
    const kill = once1(() => closeServer(server));
    this.#stack.defer(kill);
    const hang = () => {
      isHung = true;
    };
    const fallBehind = (yes: boolean) => {
      isBehind = yes;
    };
    return { address, requests: () => requests, hang, kill, fallBehind };
  }

  /** Says which routers the cluster has. */
  list(...routers: readonly FakeRouter[]): void {
    this.#routers = routers.map(({ address }) => ({ id: address, address }));
    for (const listener of this.#listeners) listener();
  }

  /** Resolves when requests go to exactly these. */
  async untilRouted(...routers: readonly FakeRouter[]): Promise<void> {
    const wanted = routers.map(({ address }) => `${address} ${this.routerPort}\n`).join('');
    await until(
      'the routers to be taken',
      async () => (await readFile(`${this.folder}/run/routers`, 'utf8')) === wanted,
    );
  }

  async request(sent: RequestOptions & { body?: string; isPlain?: boolean } = {}): Promise<Reply> {
    const { body, isPlain = false, ...rest } = sent;
    const common = {
      host: '127.0.0.1',
      agent: false as const,
      ...rest,
      headers: { host: `app.${DOMAIN}`, ...rest.headers },
    };
    const outgoing = isPlain
      ? requestPlain({ port: this.options.httpPort, ...common })
      : requestTls({
          port: this.options.httpsPort,
          servername: `app.${DOMAIN}`,
          ca: await this.authority(),
          ...common,
        });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await textOf(incoming) };
  }

  #ca: string | undefined;
  async authority(): Promise<string> {
    this.#ca ??= await readFile(this.options.routerAuthority, 'utf8');
    return this.#ca;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.balancer.stop(false);
    await this.#stack.disposeAsync();
  }

  #build({ routerName, routerAuthority }: NginxOptions): Balancer {
    const list = {
      routers: () => this.#routers,
      onChange: (listener: () => void) => {
        this.#listeners.add(listener);
        return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
      },
    };
    const limits = { routerPort: this.routerPort, checkMs: 200, checkTimeoutMs: 1000 };
    return new Balancer({ nginx: this.nginx, list, ...tools, routerName, routerAuthority, ...limits });
  }
}

const tools = { log: silentLog, clock: systemClock };

export async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
  return text;
}

/** Looks every few milliseconds until it holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 8000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await systemClock.sleep(20);
  }
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

function once1(task: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= task();
    return done;
  };
}
