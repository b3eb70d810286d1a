import { rm } from 'node:fs/promises';
import Type, { type Static } from 'typebox';
import { decode } from '../contract/decode.ts';
import { NodeFile } from '../contract/node.ts';
import { Topology } from '../contract/topology.ts';
import { firewallTable, firewallText, type OpenPort } from '../core/firewall.ts';
import { loadClusterConfig } from './config.ts';
import { exec } from './exec.ts';
import { readJsonIfExists } from './files.ts';
import { listListeners } from './listeners.ts';
import { writeOwnedFile } from './owned-files.ts';
import type { Paths } from './paths.ts';

const SSH: OpenPort = { protocol: 'tcp', port: 22 };

/** What the operator asked for: ports that are open besides those of the platform. */
export const FirewallSettings = Type.Object({
  open: Type.Array(
    Type.Object({
      protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
      port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    }),
  ),
});
export type FirewallSettings = Static<typeof FirewallSettings>;

/** What was asked for, or undefined when the firewall is off. */
export async function findFirewall(paths: Paths): Promise<FirewallSettings | undefined> {
  const value = await readJsonIfExists(paths.firewallFile);
  return value === undefined ? undefined : decode(FirewallSettings, value, paths.firewallFile);
}

/** Turns the firewall on, or changes it; it comes back with every start of the node. */
export async function setFirewall(paths: Paths, settings: FirewallSettings): Promise<void> {
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  await writeOwnedFile(paths.firewallFile, text, { owner: { uid: 0, gid: 0 }, mode: 0o600 });
}

/**
 * The rules for this node as its files are now; undefined when the firewall is off.
 *
 * @param containerDevices first letters of the devices of containers
 */
export async function planFirewall(paths: Paths, containerDevices: readonly string[]): Promise<string | undefined> {
  const settings = await findFirewall(paths);
  if (settings === undefined) return undefined;
  const topology = await readJsonIfExists(paths.topologyFile);
  return firewallText({
    node: decode(NodeFile, await readJsonIfExists(paths.nodeFile), paths.nodeFile),
    config: await loadClusterConfig(paths),
    topology: topology === undefined ? undefined : decode(Topology, topology, paths.topologyFile),
    open: [...(await sshPorts()), ...settings.open],
    containerDevices,
  });
}

/** Puts the rules in place, in one step; nothing when the firewall is off. Gives true when it is on. */
export async function applyFirewall(paths: Paths, containerDevices: readonly string[]): Promise<boolean> {
  const input = await planFirewall(paths, containerDevices);
  if (input === undefined) return false;
  await exec(['nft', '-f', '-'], { input });
  return true;
}

/** Takes the rules away, now and for later starts. Gives false when there were none. */
export async function removeFirewall(paths: Paths): Promise<boolean> {
  const wasOn = (await findFirewall(paths)) !== undefined;
  await rm(paths.firewallFile, { force: true });
  const { code } = await exec(['nft', 'list', 'table', 'inet', firewallTable], { okCodes: [0, 1] });
  if (code === 0) await exec(['nft', 'delete', 'table', 'inet', firewallTable]);
  return wasOn || code === 0;
}

/** Wherever sshd listens, so that nobody locks himself out. */
async function sshPorts(): Promise<OpenPort[]> {
  const found = (await listListeners()).filter(({ program, protocol }) => program === 'sshd' && protocol === 'tcp');
  return [SSH, ...[...new Set(found.map(({ port }) => port))].filter((port) => port !== SSH.port).map(tcp)];
}

const tcp = (port: number): OpenPort => ({ protocol: 'tcp', port });
