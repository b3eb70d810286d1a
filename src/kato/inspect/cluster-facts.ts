import { lookup } from 'node:dns/promises';
import { request } from 'node:http';
import { systemHosts } from '../../contract/hosts.ts';
import { subjects } from '../../contract/subjects.ts';
import type { NameFacts } from '../../core/inspection.ts';
import { systemClock } from '../../platform/clock.ts';
import { readTextIfExists } from '../../platform/files.ts';
import type { Node } from '../node.ts';
import type { ReadinessProbe } from '../readiness.ts';
import { findTopology } from '../topology-file.ts';

const GATHER_MS = 1500;
const CLOCK_TIMEOUT_MS = 5000;

/** How far this machine's clock is ahead of the Core's, to about a second; undefined on the Core, or without an answer. */
export async function clockSkewMs({ file, paths }: Node): Promise<number | undefined> {
  if (file.isMicro || file.roles.includes('primary')) return undefined;
  const beforeMs = systemClock.nowMs();
  const date = await askDate(paths.registryLinkSocket);
  const nowMs = (beforeMs + systemClock.nowMs()) / 2;
  if (date === undefined || Number.isNaN(Date.parse(date))) return undefined;
  // The header has whole seconds.
  return nowMs - (Date.parse(date) + 500);
}

function askDate(socketPath: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { socketPath, path: '/v1/topology', agent: false as const };
    const sent = request({ ...options, signal: AbortSignal.timeout(CLOCK_TIMEOUT_MS) }, (response) => {
      response.resume();
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.headers.date));
    });
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

/** Versions of the nodes that answer. */
export async function nodeVersions(
  { file }: Node,
  probe: ReadinessProbe,
): Promise<{ address: string; version: string }[]> {
  const bus = file.isMicro ? undefined : await probe.bus();
  if (bus === undefined) return [];
  const found = await bus.request(subjects.nodeFind, [], {}, { timeoutMs: GATHER_MS, expected: 10_000 });
  return found.map(({ address, version }) => ({ address, version }));
}

/** Where the names of the platform lead, as this machine sees it. */
export async function nameFacts({ config, file }: Node): Promise<NameFacts[]> {
  const { domain } = config.cluster;
  const hosts = (await readTextIfExists(file.hostsFile ?? '/etc/hosts')) ?? '';
  const isLocal = /\.(localhost|local)$/.test(domain);
  // Apps have names of their own below the domain, so that any name must do.
  const names = [systemHosts(domain).api, ...(isLocal ? [] : [`inspect-${file.id.slice(0, 8)}.${domain}`])];
  return Promise.all(
    names.map(async (name) => {
      const kept = hosts.split('\n').find((line) => line.split('#')[0]?.split(/\s+/).slice(1).includes(name));
      if (kept !== undefined) return { name, addresses: [kept.trim().split(/\s+/)[0] ?? ''] };
      try {
        return { name, addresses: (await lookup(name, { all: true })).map(({ address }) => address) };
      } catch (error) {
        if (error instanceof Error && 'code' in error) return { name, addresses: undefined };
        throw error;
      }
    }),
  );
}

/** Addresses at which requests come in: of load balancers, else of routers. */
export async function frontAddresses({ file, paths }: Node): Promise<string[]> {
  if (file.isMicro) return [file.address, '127.0.0.1', '::1'];
  const nodes = (await findTopology(paths))?.nodes ?? [];
  const balancers = nodes.filter(({ roles }) => roles.includes('load_balancer'));
  const front = balancers.length > 0 ? balancers : nodes.filter(({ roles }) => roles.includes('router'));
  return front.map(({ address }) => address);
}
