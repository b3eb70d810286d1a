import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { exists, readTextIfExists } from '../../platform/files.ts';
import { pathsOf } from '../../platform/paths.ts';
import { postgresqlPaths } from '../../platform/postgresql.ts';
import { requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { refuseWhileReset } from '../reset-mark.ts';
import type { SetupOptions, Step } from './step.ts';

const LEAST_MEMORY_MB = 1800;
const LEAST_DISK_MB = { withData: 8000, without: 2000 };
/** What these keep fills a disk: stacks and apps, or everything that users made. */
const rolesWithData = ['primary', 'dea', 'stager'];
const SOCKET_PATH_LIMIT = 107;

/** What must be true of the machine before anything is changed on it. */
export const checkMachine: Step = {
  title: 'Check the machine',
  run: async ({ options }) => {
    requireRoot();
    await refuseWhileReset(options);
    await checkSystem();
    const memoryMb = Math.floor(totalmem() / 1_048_576);
    if (memoryMb < LEAST_MEMORY_MB) {
      throw new Refusal(
        `this machine has ${memoryMb} MB of memory; the platform needs ${LEAST_MEMORY_MB}`,
        'use a larger machine',
      );
    }
    await checkDisk(options);
    checkSocketPath(options.state);
    await claim(options.state);
    return 'already';
  },
};

async function checkSystem(): Promise<void> {
  if (process.platform !== 'linux') throw new Refusal(`this is ${process.platform}; kato needs Linux`, 'use Debian 12');
  const distribution = distributionFault((await readTextIfExists('/etc/os-release')) ?? '');
  if (distribution !== undefined) throw new Refusal(distribution, 'use Debian 12');
  const known = await readFile('/proc/filesystems', 'utf8');
  const modules = join('/lib/modules', release());
  const listed = ['modules.dep', 'modules.builtin'].map((name) => readTextIfExists(join(modules, name)));
  const kernel = kernelFault(known, (await Promise.all(listed)).join('\n'));
  if (kernel !== undefined) throw new Refusal(kernel, 'use a stock Debian 12 kernel');
  for (const [path, what] of [
    ['/proc/self/ns/user', 'user namespaces'],
    ['/proc/self/ns/net', 'network namespaces'],
    ['/sys/fs/cgroup', 'control groups'],
  ] as const) {
    if (!(await exists(path))) {
      throw new Refusal(`this kernel has no ${what} (${path} is missing)`, 'use a stock Debian 12 kernel');
    }
  }
}

/** Why set-up can't install its packages on the distribution that this os-release file describes. */
export function distributionFault(osRelease: string): string | undefined {
  const read = (key: string) => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(osRelease)?.[1];
  const name = read('PRETTY_NAME') ?? 'not named';
  if (![read('ID'), ...(read('ID_LIKE') ?? '').split(' ')].includes('debian')) {
    return `this system is ${name}; set-up installs Debian packages`;
  }
  if (read('VERSION_CODENAME') === 'bookworm') return undefined;
  return `this system is ${name}; the packages that set-up installs are those of Debian 12 (bookworm)`;
}

/**
 * What this kernel lacks.
 *
 * @param filesystems `/proc/filesystems`
 * @param modules the names of what can be loaded, and of what is built in
 */
export function kernelFault(filesystems: string, modules: string): string | undefined {
  if (/\tbtrfs$/m.test(filesystems) || /\/btrfs\.ko\b/.test(modules)) return undefined;
  return 'this kernel has no btrfs, neither built in nor as a module';
}

async function checkDisk({ state, roles }: Pick<SetupOptions, 'state' | 'roles'>): Promise<void> {
  let folder = state;
  while (!(await exists(folder))) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  const freeMb = Math.floor((bavail * bsize) / 1_048_576);
  const isSetUp = await exists(pathsOf(state).nodeFile);
  const neededMb = leastDiskMb(roles);
  if (freeMb < neededMb && !isSetUp) {
    throw new Refusal(
      `${folder} has ${freeMb} MB free; a node ${roles.length > 0 ? `with ${roles.join(', ')} ` : ''}needs ${neededMb}`,
      'make room, or set STACKATO_STATE to a folder on a larger disk',
    );
  }
}

/** What a machine with these roles needs; without any it is set up as a whole platform. */
export function leastDiskMb(roles: readonly string[]): number {
  const hasData = roles.length === 0 || roles.some((role) => rolesWithData.includes(role));
  return hasData ? LEAST_DISK_MB.withData : LEAST_DISK_MB.without;
}

function checkSocketPath(state: string): void {
  const { socket } = postgresqlPaths(pathsOf(state));
  if (Buffer.byteLength(socket) > SOCKET_PATH_LIMIT) {
    throw new Refusal(
      `the state folder's path is too long for a socket in it: ${socket}`,
      'set STACKATO_STATE to a shorter path',
    );
  }
}

/** One set-up at a time; the claim of one that is gone counts no longer. */
async function claim(state: string): Promise<void> {
  const file = join(pathsOf(state).setup, 'running.pid');
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const pid = Number((await readTextIfExists(file)) ?? 0);
    if (pid === process.pid) return;
    if (pid > 0 && (await readTextIfExists(`/proc/${pid}/cmdline`))?.includes('\0setup\0')) {
      throw new Refusal(`another set-up of this node is running (pid ${pid})`, 'wait for it, or stop it');
    }
    await rm(file, { force: true });
  }
}
