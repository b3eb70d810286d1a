import { promises } from 'node:dns';
import type { Egress } from '../container/container.ts';
import type { RegistryServer } from '../core/registry-servers.ts';
import { type Clock, slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** Addresses of a host. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

const PATIENCE_MS = 5000;
const systemLookup: Lookup = (host) => promises.lookup(host, { all: true, family: 4 });

/**
 * What lets a build reach the servers that its operator's settings name, also where the rules of its space don't, as on
 * private networks. A name that is not known gives no rule: the build asks for it too, and says what is wrong with it.
 */
export async function registryEgress(
  servers: readonly RegistryServer[],
  { clock, log, lookup = systemLookup }: { clock: Clock; log: Log; lookup?: Lookup },
): Promise<Egress[]> {
  const addressesOf = async (host: string) => {
    const over = new AbortController();
    try {
      const late = slept(clock, PATIENCE_MS, over.signal).then(() => Promise.reject(new Error('no answer in time')));
      return await Promise.race([lookup(host), late]);
    } catch (error) {
      log.warn('registry-name-unknown', { host, error });
      return [];
    } finally {
      over.abort();
    }
  };
  const rules = servers.map(async ({ host, port }) =>
    (await addressesOf(host)).map(
      ({ address }): Egress => ({ protocol: 'tcp', destination: address, ports: `${port}` }),
    ),
  );
  return (await Promise.all(rules)).flat();
}
