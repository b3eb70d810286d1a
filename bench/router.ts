import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bus } from '../src/bus/bus.ts';
import { connectNats } from '../src/bus/nats.ts';
import { subjects } from '../src/contract/subjects.ts';
import { systemClock } from '../src/platform/clock.ts';
import { environment } from '../src/platform/config.ts';
import { exec, start } from '../src/platform/exec.ts';
import { temporaryDirectory } from '../src/platform/files.ts';
import { silentLog } from '../src/platform/log.ts';
import { freePort } from '../src/platform/testing/free-port.ts';
import { Haproxy } from '../src/proxy/haproxy/haproxy.ts';
import { send } from '../src/proxy/haproxy/rig.conformance.ts';
import type { Pool } from '../src/proxy/proxy.ts';
import { Router } from '../src/router/router.ts';
import { summary } from './router-numbers.ts';
import { goProxy, nginxBackend, nginxProxy, nodeProxy, type Peer } from './router-peers.ts';
import type { BenchRow } from './row.ts';

const ROUTES = 10_000;
const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 64;
const REGISTRATIONS = 300;

type Load = { readonly perS: number; readonly cpuUs: number };

/** The router with a full table, logs and headers on, against bare proxies; and from registration to first request. */
export async function bench(): Promise<BenchRow[]> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory('bench-router'));
  const origin = stack.use(await nginxBackend(folder.path));
  const bus = stack.use(await startBus(folder.path));
  const ours = stack.use(await startRouter(folder.path, bus, origin.port));
  const nginx = stack.use(await nginxProxy(folder.path, origin.port));
  const other = stack.use((await goProxy(folder.path, origin.port)) ?? (await nodeProxy(folder.path, origin.port)));
  const rows = await throughput(ours, nginx, other);
  return [...rows, ...(await registrations(ours.port, bus))];
}

async function throughput(ours: Peer, nginx: Peer, other: Peer): Promise<BenchRow[]> {
  const results = new Map<Peer, Load[]>([ours, nginx, other].map((peer) => [peer, []]));
  // Interleaved, so that whatever else the machine does falls on all of them.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [peer, loads] of results) loads.push(await load(peer));
  }
  const median = (peer: Peer): Load => {
    const loads = results.get(peer) ?? [];
    return { perS: summary(loads.map(({ perS }) => perS)).p50, cpuUs: summary(loads.map(({ cpuUs }) => cpuUs)).p50 };
  };
  const [us, bare, slow] = [median(ours), median(nginx), median(other)];
  const kilo = (n: number) => `${(n / 1000).toFixed(1)}k/s`;
  const row = (
    what: string,
    target: string,
    values: { us: string; peer: string; ratio: number; ok: boolean },
  ): BenchRow => ({
    what: `router, ${ROUTES} routes: ${what}`,
    value: values.us,
    target,
    peer: values.peer,
    ratio: values.ratio.toFixed(2),
    ok: values.ok,
  });
  const [share, cpu, gain] = [us.perS / bare.perS, us.cpuUs / bare.cpuUs, us.perS / slow.perS];
  return [
    row('throughput', '≥ 0.75 × bare nginx', {
      us: kilo(us.perS),
      peer: `nginx ${kilo(bare.perS)}`,
      ratio: share,
      ok: share >= 0.75,
    }),
    row('CPU per request', '≤ 1.5 × bare nginx', {
      us: `${us.cpuUs.toFixed(1)} µs`,
      peer: `nginx ${bare.cpuUs.toFixed(1)} µs`,
      ratio: cpu,
      ok: cpu <= 1.5,
    }),
    row('throughput', `≥ 2 × ${other.name}`, {
      us: kilo(us.perS),
      peer: `${other.name} ${kilo(slow.perS)}`,
      ratio: gain,
      ok: gain >= 2,
    }),
  ];
}

async function load(peer: Peer): Promise<Load> {
  const before = cpuSeconds(peer.pids());
  const url = `http://127.0.0.1:${peer.port}/`;
  const host = ['-H', `Host: ${peer.host}`];
  const { stdout } = await exec(['wrk', '-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...host, url]);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (!requests || bad) throw new Error(`${peer.name} failed under load: ${stdout}`);
  return { perS: requests / SECONDS, cpuUs: ((cpuSeconds(peer.pids()) - before) / requests) * 1e6 };
}

async function registrations(port: number, bus: Bus): Promise<BenchRow[]> {
  const origin = createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const at = { host: '127.0.0.1', port: (origin.address() as AddressInfo).port };
  const times: number[] = [];
  for (let i = 0; i < REGISTRATIONS; i++) {
    const host = `fresh-${i}.test`;
    const startedMs = performance.now();
    bus.publish(subjects.routerRegister, [], { ...at, uris: [host], app: 'bench', private_instance_id: 'bench' });
    while ((await send(port, { host })).status !== 200) {
      if (performance.now() - startedMs > 5000) throw new Error(`${host} was not routed within 5 s`);
    }
    times.push(performance.now() - startedMs);
  }
  origin.closeAllConnections();
  origin.close();
  const { p50, p99 } = summary(times);
  const value = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  return [{ what: 'router.register published → first request routed', value, target: 'p99 ≤ 20 ms', ok: p99 <= 20 }];
}

async function startBus(folder: string): Promise<Bus & AsyncDisposable> {
  const port = await freePort();
  const server = start(['nats-server', '-a', '127.0.0.1', '-p', String(port), '--user', 'u', '--pass', 'p'], {
    cwd: folder,
  });
  await once(server, 'spawn');
  const bus = await connectNats({
    servers: [`127.0.0.1:${port}`],
    user: 'u',
    password: 'p',
    name: 'bench',
    log: silentLog,
  });
  return Object.assign(bus, {
    [Symbol.asyncDispose]: async () => {
      await bus.close();
      server.kill('SIGTERM');
      await once(server, 'exit');
    },
  });
}

/** The router as it runs, with its log lines going to the bus; only HAProxy's CPU is counted, as for the peers. */
async function startRouter(folder: string, bus: Bus, origin: number): Promise<Peer> {
  const httpPort = await freePort();
  const options = {
    directory: `${folder}/router`,
    address: '127.0.0.1',
    httpPort,
    httpsPort: 1,
    certificates: [],
    minTlsVersion: 'TLSv1.2',
    threads: Number(environment.stackato('BENCH_THREADS') ?? 1),
    maxConnections: 4000,
    backends: 0,
    requestTimeoutS: 60,
    tunnelTimeoutS: 60,
    drainMs: 200,
    trustedProxies: [],
    stickyCookies: ['JSESSIONID'],
    user: 'haproxy',
  };
  const proxy = new Haproxy(options, { log: silentLog, clock: systemClock });
  const settings = { id: '0-bench', address: '127.0.0.1', registerS: 20, pruneS: 120, startDelayMs: 10 };
  const router = new Router({ bus, clock: systemClock, log: silentLog, proxy, ...settings });
  await router.start();
  await proxy.apply(
    tableOf(origin).flatMap(({ uri, app, endpoints }) => [
      { do: 'add-route' as const, uri, app },
      ...endpoints.map((endpoint) => ({ do: 'add-endpoint' as const, uri, endpoint })),
    ]),
  );
  return {
    name: 'router',
    port: httpPort,
    host: 'app-5000.test',
    pids: () => [proxy.inspect().pid],
    [Symbol.asyncDispose]: () => router.stop(false),
  };
}

function tableOf(port: number): Pool[] {
  return Array.from({ length: ROUTES }, (_, i) => {
    const app = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const endpoint = { id: `${i.toString(16).padStart(32, '0')}`, app, host: '127.0.0.1', port, index: '0' };
    return { uri: `app-${i}.test`, app, endpoints: [{ ...endpoint, protocol: 'http1' }] };
  });
}

/** User and system time of processes, s. */
function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await bench(), null, 2)}\n`);
