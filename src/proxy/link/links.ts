import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterConfig } from '../../contract/config.ts';
import type { Topology } from '../../contract/topology.ts';
import { type LinkPlan, planLinks } from '../../core/link-plan.ts';
import { exec } from '../../platform/exec.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';
import { postgresqlPaths } from '../../platform/postgresql.ts';
import { formatLinkConfig, listName } from './config-file.ts';

/** The links' HAProxy, in the foreground; SIGUSR2 makes it read its configuration again without cutting connections. */
export function linkProgram(paths: Paths): string[] {
  return ['/usr/sbin/haproxy', '-W', '-f', configFile(paths)];
}

/** Where a node's link process takes connections without passing them on, for those who look whether it runs. */
export function linkDoor(
  { roles, address }: { roles: readonly string[]; address: string },
  { paths, config }: { paths: Paths; config: ClusterConfig },
): { path: string } | { host: string; port: number } {
  if (!roles.includes('primary')) return { path: paths.registryLinkSocket };
  return { host: address, port: config.link.registryPort };
}

/**
 * Writes a node's link configuration from the topology. Gives true when something changed: then its HAProxy must be
 * told to read again.
 *
 * @param options `owner`: the account that HAProxy runs as
 * @throws ExecError when HAProxy refuses the configuration; the old one stays
 */
export async function writeLinks(
  paths: Paths,
  topology: Topology,
  options: { nodeId: string; config: ClusterConfig; owner: { uid: number; gid: number } },
): Promise<boolean> {
  const { nodeId, config, owner } = options;
  const sockets = {
    registry: paths.registrySocket,
    registryLink: paths.registryLinkSocket,
    database: postgresqlPaths(paths).socket,
  };
  const plan = planLinks(topology, nodeId, { config, sockets });
  const ownership = { owner, mode: 0o600 };
  const wrote = [await writeLists(paths, plan, ownership)];
  const text = formatLinkConfig(
    plan,
    { certificate: paths.nodeCertificate, ca: paths.caCertificate, lists: listsFolder(paths) },
    {
      hardStopS: config.link.hardStopS,
      instancePorts: { first: config.dea.hostPortFirst, last: config.dea.hostPortLast },
    },
  );
  const draft = `${configFile(paths)}.${process.pid}.draft`;
  await writeOwnedFile(draft, text, ownership);
  await exec(['/usr/sbin/haproxy', '-c', '-q', '-f', draft], { timeoutMs: 20_000 });
  await rm(draft, { force: true });
  wrote.push(await writeOwnedFile(configFile(paths), text, ownership));
  return wrote.some(Boolean);
}

async function writeLists(
  paths: Paths,
  plan: LinkPlan,
  ownership: { owner: { uid: number; gid: number }; mode: number },
): Promise<boolean> {
  const lists = plan.incoming.filter(({ tls }) => tls === 'nodes');
  const wrote: boolean[] = [];
  for (const link of lists) {
    const path = join(listsFolder(paths), listName(link));
    wrote.push(await writeOwnedFile(path, `${link.allowed.join('\n')}\n`, ownership));
  }
  const wanted = new Set(lists.map(listName));
  for (const name of lists.length === 0 ? [] : await readdir(listsFolder(paths))) {
    if (!wanted.has(name)) await rm(join(listsFolder(paths), name));
  }
  return wrote.some(Boolean);
}

function configFile(paths: Paths): string {
  return join(paths.link, 'haproxy.cfg');
}

function listsFolder(paths: Paths): string {
  return join(paths.link, 'nodes');
}
