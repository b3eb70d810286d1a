import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { layoutOf } from '../../container/fence/naming.ts';
import { StoreImage } from '../../container/fence/store-image.ts';
import type { DiskFacts, FeatureFacts } from '../../core/inspection.ts';
import { exec } from '../../platform/exec.ts';
import { isMissing, readTextIfExists } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { postgresqlPaths } from '../../platform/postgresql.ts';
import type { Node } from '../node.ts';
import { kernelFault } from '../setup/machine.ts';

const MB = 1_048_576;
const TIME_SERVICES = ['chronyd', 'ntpd', 'ntpsec', 'systemd-timesyn', 'openntpd'];

/** Room on the file systems that this node writes to, each once. */
export async function diskFacts({ paths, config }: Node): Promise<DiskFacts[]> {
  const wanted: [string, string][] = [
    [paths.state, 'state folder'],
    [join(paths.fence, 'store'), 'containers'],
    [config.blobs.folder || paths.blobs, 'blobs'],
    [postgresqlPaths(paths).data, 'control database'],
    ['/tmp', 'temporary files'],
  ];
  const seen = new Set<number>();
  const facts: DiskFacts[] = [];
  for (const [path, what] of wanted) {
    try {
      const { dev } = await stat(path);
      if (seen.has(dev)) continue;
      seen.add(dev);
      const { bavail, blocks, bsize, files, ffree } = await statfs(path);
      const freeInodes = files === 0 ? 1 : ffree / files;
      const growable = what === 'containers' ? await growableBytes(paths.fence, config.fence.storeMb) : 0;
      const [free, total] = [bavail * bsize + growable, blocks * bsize + growable];
      facts.push({ path, what, freeMb: toMb(free), totalMb: toMb(total), freeInodes });
    } catch (error) {
      // A node has the folders of its roles only.
      if (!isMissing(error)) throw error;
    }
  }
  return facts;
}

/** By how much the store of the containers may still grow. */
function growableBytes(directory: string, storeMb: number): Promise<number> {
  return new StoreImage(layoutOf(directory, ''), { storeMb, log: silentLog }).growable();
}

export async function memoryFacts(): Promise<{ totalMb: number; availableMb: number }> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const read = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { totalMb: Math.floor(read('MemTotal') / 1024), availableMb: Math.floor(read('MemAvailable') / 1024) };
}

export async function hasTimeService(): Promise<boolean> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const comm = ((await readTextIfExists(join('/proc', name, 'comm'))) ?? '').trim();
    if (TIME_SERVICES.includes(comm)) return true;
  }
  return false;
}

/** What containers and the firewall need of the kernel. */
export async function featureFacts({ file }: Node): Promise<FeatureFacts[]> {
  const stock = 'use a stock Debian 12 kernel';
  const forContainers = file.roles.some((role) => role === 'dea' || role === 'stager');
  const modules = join('/lib/modules', release());
  const listed = ['modules.dep', 'modules.builtin'].map((name) => readTextIfExists(join(modules, name)));
  const kernel = kernelFault(await readFile('/proc/filesystems', 'utf8'), (await Promise.all(listed)).join('\n'));
  const controllers = await cgroupControllers();
  const nft = await exec(['nft', 'list', 'tables'], { okCodes: [0, 1] });
  const facts: FeatureFacts[] = [
    { what: 'nftables', has: nft.code === 0, next: `apt-get install -y nftables, and ${stock}` },
  ];
  if (!forContainers) return facts;
  const forwarding = (await readTextIfExists('/proc/sys/net/ipv4/ip_forward'))?.trim() === '1';
  return [
    ...facts,
    { what: 'btrfs', has: kernel === undefined, next: stock },
    {
      what: 'user namespaces',
      has: (await limitOf('max_user_namespaces')) > 0,
      next: 'sysctl user.max_user_namespaces=65536',
    },
    {
      what: 'network namespaces',
      has: (await limitOf('max_net_namespaces')) > 0,
      next: 'sysctl user.max_net_namespaces=65536',
    },
    { what: 'forwarding', has: forwarding, next: 'sysctl net.ipv4.ip_forward=1; the DEA sets it when it starts' },
    ...['cpu', 'memory', 'pids'].map((name) => ({
      what: `control group ${name}`,
      has: controllers.includes(name),
      next: name === 'memory' ? 'boot with cgroup_enable=memory' : stock,
    })),
  ];
}

async function limitOf(name: string): Promise<number> {
  return Number((await readTextIfExists(`/proc/sys/user/${name}`)) ?? 0);
}

/** Controllers of version 1 that are on, and those of the unified tree. */
async function cgroupControllers(): Promise<string[]> {
  const old = (await readTextIfExists('/proc/cgroups')) ?? '';
  const enabled = old.split('\n').flatMap((line) => {
    const [name = '', hierarchy, , on] = line.split(/\s+/);
    return on === '1' && hierarchy !== '0' ? [name] : [];
  });
  const unified = (await readTextIfExists('/sys/fs/cgroup/cgroup.controllers')) ?? '';
  return [...enabled, ...unified.trim().split(' ')];
}

/** Files with secrets that somebody else than their owner may read. */
export async function openSecrets({ paths }: Node): Promise<string[]> {
  const credentials = join(paths.state, 'credentials');
  const files = [
    ...(await listFiles(credentials, '.json')),
    ...(await listFiles(paths.setup, '.json')),
    paths.caKey,
    ...(await listFiles(paths.tls, '.pem')).filter((path) => path !== paths.caCertificate),
    ...(await listFiles(paths.routerCertificates, '.pem')),
    ...(await listFiles(paths.balancerCertificates, '.pem')),
    join(paths.nats, 'nats.conf'),
    join(paths.supervisor, 'supervisord.conf'),
  ];
  const open: string[] = [];
  for (const path of files) if (await isReadableByOthers(path)) open.push(path);
  return open;
}

export async function listFiles(folder: string, ending: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function isReadableByOthers(path: string): Promise<boolean> {
  try {
    return ((await stat(path)).mode & 0o044) !== 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function toMb(bytes: number): number {
  return Math.floor(bytes / MB);
}
