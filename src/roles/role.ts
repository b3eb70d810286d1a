import { readFile } from 'node:fs/promises';
import type { Bus } from '../bus/bus.ts';
import { connectNats } from '../bus/nats.ts';
import type { Boot } from '../platform/config.ts';
import type { Part } from '../platform/lifecycle.ts';

/** A composition root: builds the adapters and components of one process and lists its parts in start order. */
export type Role = (boot: Boot, bus: Bus) => Part[] | Promise<Part[]>;

/** The bus connection of a process, from its credentials. */
export async function connectBus(boot: Boot): Promise<Bus> {
  const { bus } = boot.credentials;
  return connectNats({
    servers: bus.servers,
    user: bus.user,
    password: bus.password,
    ca: await readFile(bus.caFile, 'utf8'),
    name: `${boot.process}@${boot.node.address}`,
    log: boot.log,
  });
}
