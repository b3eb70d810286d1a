import { join } from 'node:path';
import type { Topology } from '../contract/topology.ts';
import { type BusGuest, busGuestNames, guestUser } from '../core/bus-guests.ts';
import { formatBusConfig, listBusLogins } from '../core/bus-permissions.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import type { Paths } from '../platform/paths.ts';
import { derivePassword } from '../platform/secret-box.ts';

/** The bus server's certificate and key, in one file. */
export function busCertificate(paths: Pick<Paths, 'tls'>): string {
  return join(paths.tls, 'nats.pem');
}

/** Where nats-server notes its process id. */
export function busPidFile(paths: Pick<Paths, 'nats'>): string {
  return join(paths.nats, 'nats.pid');
}

/** The password of a user of the bus; another one with each generation of its node. */
export function busPassword(nodeKey: string, login: { user: string; generation: number }): string {
  return derivePassword(nodeKey, `bus ${login.user} ${login.generation}`);
}

/** Passwords of the guests of the bus; others with each generation of the Core. */
export function guestPasswords(nodeKey: string, topology: Topology | undefined): Record<BusGuest, string> {
  const generation = topology?.nodes.find(({ id }) => id === topology.core)?.generation ?? 1;
  return Object.fromEntries(
    busGuestNames.map((guest) => [guest, busPassword(nodeKey, { user: guestUser(guest), generation })]),
  ) as Record<BusGuest, string>;
}

/**
 * Writes nats-server's configuration with every user that the topology calls for. Gives true when it changed: then a
 * running server must be told to read again (SIGHUP).
 */
export async function writeBusConfig(
  paths: Paths,
  options: {
    port: number;
    nodeKey: string;
    topology: Topology | undefined;
    owner: { uid: number; gid: number };
  },
): Promise<boolean> {
  const { port, nodeKey, topology, owner } = options;
  const core = topology?.nodes.find(({ id }) => id === topology.core);
  const generationOf = (nodeId: string | undefined) =>
    (topology?.nodes.find(({ id }) => id === nodeId) ?? core)?.generation ?? 1;
  const certificate = busCertificate(paths);
  const text = formatBusConfig({
    listen: `127.0.0.1:${port}`,
    serverName: `node-${core?.index ?? 0}`,
    pidFile: busPidFile(paths),
    tls: { certificate, key: certificate, ca: paths.caCertificate },
    users: listBusLogins(topology).map((login) => ({
      ...login,
      password: busPassword(nodeKey, { user: login.user, generation: generationOf(login.nodeId) }),
    })),
    guests: guestPasswords(nodeKey, topology),
  });
  return writeOwnedFile(join(paths.nats, 'nats.conf'), text, { owner, mode: 0o600 });
}
