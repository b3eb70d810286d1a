import { createHash } from 'node:crypto';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readTextIfExists } from '../../platform/files.ts';
import type { Limits, ProcessSpec } from '../container.ts';
import { assemble } from './assemble.ts';
import { release, startConmon } from './conmon.ts';
import type { Containers, ContainersTools, Entry } from './containers.ts';
import { ID_COUNT, ID_OFFSET } from './id-ranges.ts';
import { launcher, launchScript } from './launch-script.ts';
import { hostnameOf, ociConfig } from './oci-spec.ts';
import { makePlaces } from './places.ts';
import { type ContainerRecord, startTicksOf } from './record.ts';

/** For the runtime itself, not for what runs inside. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const MB = 1024 * 1024;

export type User = Pick<ProcessSpec, 'uid' | 'gid'>;

export type WaitingTools = ContainersTools & {
  readonly containers: Containers;
  readonly initPath: string;
  /** Empty for none. */
  readonly caFile: string;
  readonly logBytes: number;
  /** As Node names it. */
  readonly architecture: string;
};

type Made = Pick<ContainerRecord, 'handle' | 'id' | 'firstId' | 'limits' | 'mounts'>;

/**
 * Makes the container of a record: namespaces, control groups and a process that waits, on an empty root. Its network
 * and its own root come with `finish`, what it runs with `launch`.
 */
export async function makeWaiting(tools: WaitingTools, entry: Entry, user: User): Promise<void> {
  const { containers, layout, commands, logBytes } = tools;
  const { id } = entry.record;
  const config = configOf(tools, entry.record, user);
  await Promise.all([
    writeFile(layout.config(id), JSON.stringify(config)),
    writeFile(layout.launch(id), '', { mode: 0o400 }),
  ]);
  await makePlaces(layout.emptyRoot, config.mounts);
  // It leaves a file named `oom` in its working folder when memory runs out.
  const cwd = dirname(layout.config(id));
  const pid = await startConmon(commands.conmon(id, logBytes), { env: { PATH }, cwd });
  const [startTicks, conmonPid] = await Promise.all([startTicksOf(pid), readTextIfExists(layout.conmonPidFile(id))]);
  const waiting = { init: { pid, startTicks: startTicks ?? '' }, conmonPid: Number(conmonPid) };
  await containers.update(entry, { ...waiting, user: { uid: user.uid, gid: user.gid } });
}

/** The names of a container, for itself; they can change until it enters its root. */
export async function writeNames(tools: Pick<WaitingTools, 'layout'>, record: ContainerRecord): Promise<void> {
  const name = hostnameOf(record.handle);
  await writeFile(tools.layout.hosts(record.id), `127.0.0.1 localhost\n${record.address} ${name}\n`);
  await writeFile(tools.layout.hostname(record.id), `${name}\n`);
}

/** The rest of what makes a container: copying a subvolume as its root, connecting its network, entering its root. */
export async function finish(
  { layout, network }: Pick<WaitingTools, 'layout' | 'network'>,
  record: ContainerRecord,
  steps: { copyOf?: string; connect?: boolean; enter?: boolean },
): Promise<void> {
  const { handle, id, limits, mounts } = record;
  const root = layout.root(id);
  const pid = record.init?.pid ?? 0;
  const volumes = mounts.filter(({ writable }) => writable);
  const ids = { inFiles: ID_OFFSET, first: record.firstId, count: ID_COUNT };
  await assemble({
    ...(steps.copyOf === undefined ? {} : { copy: { from: steps.copyOf, root, bytes: limits.diskMb * MB } }),
    ...(steps.connect ? { connect: network.connection(record, pid) } : {}),
    ...(steps.enter ? { enter: { pid, root, hostname: hostnameOf(handle), fds: limits.fds, ids, volumes } } : {}),
  });
}

/** Lets the waiting process become the main process. */
export async function launch(tools: WaitingTools, { record }: Entry, process: ProcessSpec): Promise<void> {
  const { layout, commands } = tools;
  const path = layout.launch(record.id);
  await writeFile(path, launchScript(process));
  await chown(path, record.firstId + process.uid, record.firstId + process.gid);
  await chmod(path, 0o400);
  await release(commands, record.id);
}

/** Tells containers made ahead from those that other settings would make. */
export function recipeOf(tools: WaitingTools, user: User, limits: Limits): string {
  const config = configOf(tools, { handle: '', id: '', firstId: 0, limits, mounts: [] }, user);
  return createHash('sha256')
    .update(JSON.stringify([config, tools.logBytes]))
    .digest('hex');
}

function configOf(tools: WaitingTools, { handle, id, firstId, limits, mounts }: Made, user: User) {
  const { layout, names, initPath, caFile, cgroups, architecture } = tools;
  return ociConfig({
    container: { handle, limits, mounts },
    process: { ...launcher, uid: user.uid, gid: user.gid },
    firstId,
    rootPath: layout.emptyRoot,
    cgroupsPath: names.cgroup(id),
    files: {
      resolvConf: layout.resolvConf,
      hosts: layout.hosts(id),
      hostname: layout.hostname(id),
      launch: layout.launch(id),
    },
    initPath,
    ...(caFile ? { caFile } : {}),
    hasSwapLimit: cgroups.hasSwapLimit,
    architecture,
  });
}
