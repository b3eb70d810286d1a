import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { RouteMessage } from '../../core/route-table.ts';
import { systemClock } from '../../platform/clock.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { freePort } from '../../platform/testing/free-port.ts';
import type { FakeRequest, FakeResponse } from '../fake.ts';
import type { ProxyRig, RigBackend } from '../proxy.conformance.ts';
import type { AccessRecord } from '../proxy.ts';
import type { HaproxyOptions } from './config-file.ts';
import { Haproxy } from './haproxy.ts';

/** A real HAProxy on free loopback ports with a folder of its own; all of it is gone when disposed. */
export type HaproxyRig = ProxyRig & {
  readonly proxy: Haproxy;
  readonly options: HaproxyOptions;
  /** A control side that takes over from another one. */
  successor(change?: Partial<HaproxyOptions>): Haproxy;
  serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<RigBackend>;
};

export async function openHaproxyRig(change: Partial<HaproxyOptions> = {}): Promise<HaproxyRig> {
  const folder = await temporaryDirectory('router');
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  const options: HaproxyOptions = {
    directory: `${folder.path}/run`,
    address: '127.0.0.1',
    httpPort,
    httpsPort,
    certificates: [],
    minTlsVersion: 'TLSv1.2',
    threads: 2,
    maxConnections: 2000,
    backends: 100,
    requestTimeoutS: 10,
    tunnelTimeoutS: 60,
    drainMs: 300,
    trustedProxies: [],
    stickyCookies: ['JSESSIONID'],
    user: 'haproxy',
    ...change,
  };
  const build = (more: Partial<HaproxyOptions> = {}) =>
    new Haproxy({ ...options, ...more }, { log: silentLog, clock: systemClock });
  const proxies = [build()];
  const stops: (() => Promise<void>)[] = [];
  const serve: HaproxyRig['serve'] = async (answer) => {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    let isOpen = true;
    const stop = async () => {
      if (!isOpen) return;
      isOpen = false;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    };
    stops.push(stop);
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, stop };
  };
  return {
    proxy: proxies[0] as Haproxy,
    options,
    successor: (more) => {
      const next = build(more);
      proxies.push(next);
      return next;
    },
    serve,
    backend: (name, headers = {}) =>
      serve((req, res) => {
        res.writeHead(200, headers).end(JSON.stringify({ name, path: req.url, headers: req.headers }));
      }),
    request: (sent) => send(httpPort, sent),
    [Symbol.asyncDispose]: async () => {
      const last = proxies.at(-1) as Haproxy;
      await last.stop();
      for (const proxy of proxies) await proxy.detach();
      for (const stop of stops) await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export function send(port: number, sent: FakeRequest): Promise<FakeResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<FakeResponse>();
  const headers = { ...sent.headers, host: sent.host };
  const options = {
    host: '127.0.0.1',
    port,
    path: sent.path ?? '/',
    method: sent.method ?? 'GET',
    headers,
    agent: false,
  };
  const outgoing = request(options, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const flat = Object.entries(response.headers).map(([k, v]) => [k, Array.isArray(v) ? v.join(', ') : String(v)]);
      const body = Buffer.concat(chunks).toString('utf8');
      resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(flat), body });
    });
  });
  outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('no answer in 10 s')));
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

export const GUID = '7a1c9f0e-1111-4222-8333-000000000001';

/** Sends bytes and gives all that comes back until the other side closes or `enough` is seen. */
export function raw(port: number, text: string, enough = /$^/): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer in 10 s, only ${JSON.stringify(answer)}`)));
  socket.on('error', reject);
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (enough.test(answer)) socket.destroy();
  });
  socket.on('close', () => resolve(answer));
  socket.write(text);
  return promise;
}

/** Asks again until the answer is right; the deadline is the failure. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadlineMs) throw new Error(`waited 10 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const says = (
  id: string,
  at: { host: string; port: number },
  change: Partial<RouteMessage> = {},
): RouteMessage => ({
  host: at.host,
  port: at.port,
  uris: ['a.test'],
  app: GUID,
  private_instance_id: id,
  private_instance_index: '0',
  ...change,
});

export function nextRecords(rig: HaproxyRig, count: number): Promise<AccessRecord[]> {
  const heard: AccessRecord[] = [];
  const { promise, resolve } = Promise.withResolvers<AccessRecord[]>();
  rig.proxy.onAccess((record) => heard.push(record) === count && resolve(heard));
  return promise;
}
