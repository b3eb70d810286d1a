import { networkInterfaces } from 'node:os';
import { ExecError, exec } from './exec.ts';

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
