import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { Clock } from './clock.ts';
import { ExecError, exec } from './exec.ts';

const ASK_NEIGHBOUR_TIMES = 5;
const ASK_NEIGHBOUR_MS = 300;

/** The address under which this machine reaches others: that of the default route, else its first, else loopback. */
export async function findAddress(): Promise<string> {
  try {
    const { stdout } = await exec(['ip', '-json', '-4', 'route', 'get', '1.1.1.1']);
    const [route] = JSON.parse(stdout) as { prefsrc?: string }[];
    if (route?.prefsrc !== undefined) return route.prefsrc;
  } catch (error) {
    // Without a route the command fails; a machine without a network is fine for a micro cloud.
    if (!(error instanceof ExecError)) throw error;
  }
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((one) => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}

/** Every IPv4 address that this machine has now, loopback among them. */
export function listAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
}

/**
 * The hardware address of another machine in the same network that answers for an address; undefined when none does, or when the
 * address is in no network that this machine is in.
 */
export async function findHolder(address: string, clock: Clock): Promise<string | undefined> {
  if (listAddresses().includes(address)) return undefined;
  // A packet to it has the kernel ask the network who has the address.
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve) => socket.send('', 9, address, () => resolve()));
    for (let asked = 0; asked < ASK_NEIGHBOUR_TIMES; asked += 1) {
      await clock.sleep(ASK_NEIGHBOUR_MS);
      const { stdout } = await exec(['ip', '-json', '-4', 'neigh', 'show', address]);
      const known = JSON.parse(stdout || '[]') as { lladdr?: string; state?: string[] }[];
      const holder = known.find(({ lladdr, state = [] }) => lladdr !== undefined && !state.includes('FAILED'));
      if (holder !== undefined) return holder.lladdr;
    }
    return undefined;
  } finally {
    socket.close();
  }
}

/** A network interface as it is now. */
export type Interface = {
  readonly name: string;
  /** `10.0.0.5/24` */
  readonly address: string | undefined;
  readonly gateway: string | undefined;
};

/** The machine's network interfaces, but loopback. */
export async function listInterfaces(): Promise<Interface[]> {
  const [links, routes] = await Promise.all([
    exec(['ip', '-json', 'addr']),
    exec(['ip', '-json', '-4', 'route', 'show', 'default']),
  ]);
  const gateways = JSON.parse(routes.stdout || '[]') as { dev?: string; gateway?: string }[];
  const found = JSON.parse(links.stdout || '[]') as {
    ifname: string;
    flags: string[];
    addr_info: { family: string; local: string; prefixlen: number }[];
  }[];
  return found
    .filter(({ flags }) => !flags.includes('LOOPBACK'))
    .map(({ ifname: name, addr_info }) => {
      const own = addr_info.find(({ family }) => family === 'inet');
      const address = own === undefined ? undefined : `${own.local}/${own.prefixlen}`;
      return { name, address, gateway: gateways.find(({ dev }) => dev === name)?.gateway };
    });
}
