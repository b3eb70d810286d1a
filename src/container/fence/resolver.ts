import { readTextIfExists } from '../../platform/files.ts';
import { isLoopback } from './addresses.ts';

/** Files that name the machine's resolvers, the next one asked when the one before knows only the machine itself. */
const SOURCES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf', '/run/NetworkManager/resolv.conf'];

export type Resolver = { readonly servers: readonly string[]; readonly text: string };

/** The machine's resolvers as containers can use them: a local cache is passed over for what is behind it. */
export async function findResolver(): Promise<Resolver> {
  for (const source of SOURCES) {
    const text = await readTextIfExists(source);
    const found = parseResolvers(text ?? '');
    if (found.servers.length > 0) return found;
  }
  return { servers: [], text: '' };
}

export function parseResolvers(text: string): Resolver {
  const lines = text.split('\n').map((line) => line.trim());
  const servers = lines
    .flatMap((line) => /^nameserver\s+([0-9.]+)$/.exec(line)?.[1] ?? [])
    .filter((address) => !isLoopback(address));
  const kept = lines.filter((line) => /^(search|domain|options)\s/.test(line));
  return { servers, text: `${[...servers.map((server) => `nameserver ${server}`), ...kept].join('\n')}\n` };
}
