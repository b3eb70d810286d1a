import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** The pools of the platform; a test may use a name of its own. */
export type PoolName = 'dea' | 'stager' | (string & {});

/**
 * Every name that one engine gives to things of the machine. They carry a tag of the state folder and the pool, so
 * that engines of several processes and several nodes on one kernel never meet.
 */
export type Names = ReturnType<typeof namesOf>;

export function namesOf(directory: string, pool: PoolName) {
  const tag = BigInt(`0x${createHash('sha256').update(`${directory}\0${pool}`).digest('hex').slice(0, 16)}`)
    .toString(36)
    .slice(-6);
  const cgroupParent = `/stackato/${tag}`;
  return {
    tag,
    table: `fence_${pool.replace(/[^a-z0-9]/g, '_')}_${tag}`,
    /** Every veth of this pool begins with it; names of network devices have 15 characters at most. */
    vethPrefix: `f${tag}x`,
    veth: (slot: number) => `f${tag}x${slot}`,
    cgroupParent,
    cgroup: (id: string) => `${cgroupParent}/${id}`,
    /** State of the OCI runtime: gone after a reboot, as what it describes. */
    runtimeRoot: `/run/stackato-fence/${tag}`,
  } as const;
}

/** Where an engine keeps what it knows, and the store that engines share. */
export type Layout = ReturnType<typeof layoutOf>;

export function layoutOf(directory: string, pool: PoolName) {
  const store = join(directory, 'store');
  const own = join(directory, 'pools', pool);
  const folder = (id: string) => join(own, 'containers', id);
  return {
    directory,
    store,
    storeImage: join(directory, 'store.img'),
    storeLock: join(directory, 'store.lock'),
    /** Links by name to the stacks' subvolumes, so that one is replaced in one step. */
    stacks: join(store, 'stacks'),
    subvolumes: join(store, 'subvolumes'),
    images: join(store, 'images', pool),
    roots: join(store, 'containers', pool),
    /** Half-made subvolumes; whatever is here without a living maker is removed by `sweep`. */
    making: join(store, 'making', pool),
    root: (id: string) => join(store, 'containers', pool, id),
    own,
    containers: join(own, 'containers'),
    exits: join(own, 'exits'),
    resolvConf: join(own, 'resolv.conf'),
    /** The root of every container until it enters its own: nothing but places for mounts. */
    emptyRoot: join(own, 'empty'),
    folder,
    record: (id: string) => join(folder(id), 'record.json'),
    config: (id: string) => join(folder(id), 'config.json'),
    pidFile: (id: string) => join(folder(id), 'pid'),
    conmonPidFile: (id: string) => join(folder(id), 'conmon.pid'),
    log: (id: string) => join(folder(id), 'output.log'),
    hosts: (id: string) => join(folder(id), 'hosts'),
    hostname: (id: string) => join(folder(id), 'hostname'),
    launch: (id: string) => join(folder(id), 'launch'),
    exit: (id: string) => join(own, 'exits', id),
  } as const;
}
