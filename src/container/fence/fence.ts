import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import { type ContainerEngine, ContainerError } from '../container.ts';
import { parseRange, shareOf } from './addresses.ts';
import { findCgroups } from './cgroups.ts';
import { Containers } from './containers.ts';
import { FenceEngine } from './engine.ts';
import { allRanges, IdRanges } from './id-ranges.ts';
import { raiseKernelLimits } from './kernel-limits.ts';
import { layoutOf, namesOf, type PoolName } from './naming.ts';
import { Network } from './network.ts';
import { findPrograms } from './programs.ts';
import { bootId, type ContainerRecord, readRecords } from './record.ts';
import { Reserve } from './reserve.ts';
import { findResolver } from './resolver.ts';
import { runtimeCommands } from './runtime-commands.ts';
import { Stacks } from './stacks.ts';
import { keepRoom, openStore } from './store.ts';
import { sweep } from './sweep.ts';

export type FenceOptions = {
  /** Folder of the store, shared by the engines of a node. */
  readonly directory: string;
  /** Whose containers these are. Pools of one folder never meet; the pool's share of addresses and ports is its own. */
  readonly pool: PoolName;
  /** Addresses of all pools of the node, such as 10.250.0.0/16. */
  readonly network: string;
  readonly hostPorts: { readonly first: number; readonly last: number };
  /** Addresses, networks or ranges that no egress rule opens, unless it names a single address. */
  readonly deniedDestinations: readonly string[];
  /** OCI runtime. */
  readonly runtime: string;
  /** Largest size of the store's file, MB; 0 = 60 % of the disk, at most 100 GB. */
  readonly storeMb: number;
  /** PEM bundle bound over the containers' own. */
  readonly caFile?: string;
  /** Largest log file of a container, bytes; then a new one is begun. Default 16 MiB. */
  readonly logBytes?: number;
  /** A static init program on the host; default that of the package `tini`. */
  readonly initPath?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

const LOG_BYTES = 16 * 1024 * 1024;
const INIT_PATH = '/usr/bin/tini-static';

/**
 * Opens the container engine of one pool: mounts (or makes) the store, puts the network rules in place, and adopts
 * the containers of an engine before it. One engine per pool at a time may change things.
 *
 * @throws ContainerError when the machine lacks something, with what to do about it
 */
export async function openFence(options: FenceOptions): Promise<ContainerEngine> {
  const { directory, pool, clock, random, log } = options;
  const initPath = options.initPath ?? INIT_PATH;
  const { runtimePath } = await findPrograms(options.runtime, initPath);
  const layout = layoutOf(directory, pool);
  const names = namesOf(directory, pool);
  await raiseKernelLimits();
  const store = await openStore(layout, { storeMb: options.storeMb, log, clock });
  await makeFolders([layout.own, layout.containers, layout.exits, join(layout.emptyRoot, 'root'), names.runtimeRoot]);
  const [cgroups, boot, resolver, records] = await Promise.all([
    findCgroups(),
    bootId(),
    findResolver(),
    readRecords(layout),
  ]);
  await writeFile(layout.resolvConf, resolver.text);
  if (resolver.servers.length === 0) log.warn('find-no-resolver', { because: 'containers can not resolve names' });

  const range = rangeOf(options.network);
  const network = new Network({
    names,
    table: {
      table: names.table,
      vethPrefix: names.vethPrefix,
      network: range,
      addresses: shareOf(range, pool),
      denied: options.deniedDestinations.map(rangeOf),
      resolvers: resolver.servers,
    },
    addresses: shareOf(range, pool),
    hostPorts: shareOf(options.hostPorts, pool),
    random,
  });
  const ofThisBoot = records.filter((record) => record.bootId === boot);
  const isReady = ({ phase }: ContainerRecord) => phase === 'ready';
  await network.open(
    ofThisBoot.filter((record) => !isReady(record)),
    ofThisBoot.filter(isReady),
  );

  const commands = runtimeCommands(runtimePath, layout, names);
  const ids = new IdRanges(shareOf(allRanges, pool), random);
  for (const { firstId } of records) ids.own(firstId);
  const tools = { layout, names, commands, store, network, ids, cgroups, bootId: boot, clock, log };
  const containers = new Containers(tools, records);
  const stacks = new Stacks({ layout, store, random });
  try {
    await containers.adopt();
  } catch (error) {
    await containers.close();
    throw error;
  }
  const waiting = {
    ...{ ...tools, containers, random, initPath },
    caFile: options.caFile ?? '',
    logBytes: options.logBytes ?? LOG_BYTES,
    architecture: process.arch,
  };
  return new FenceEngine({
    ...waiting,
    stacks,
    growth: keepRoom(store, options),
    reserve: new Reserve(waiting),
    sweep: () => sweep({ ...tools, containers, stacks }),
  });
}

/** First letters of the names of these pools' network devices. */
export function fenceDevices(directory: string, pools: readonly PoolName[]): string[] {
  return pools.map((pool) => namesOf(directory, pool).vethPrefix);
}

function rangeOf(text: string) {
  const range = parseRange(text);
  if (range) return range;
  throw new ContainerError('failed', `"${text}" is no IPv4 address, network or range; correct it in the configuration`);
}

async function makeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o711);
  }
}
