import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { environment } from '../../platform/config.ts';
import { ContainerError } from '../container.ts';

/** What this engine calls, and the Debian package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  conmon: 'conmon',
  ip: 'iproute2',
  nft: 'nftables',
  btrfs: 'btrfs-progs',
  'mkfs.btrfs': 'btrfs-progs',
  mount: 'mount',
  flock: 'util-linux',
  perl: 'perl-base',
  tar: 'tar',
};

/**
 * The path of the OCI runtime, once everything that is needed was found.
 *
 * @throws ContainerError naming what is missing and the package that has it
 */
export async function findPrograms(runtime: string, initPath: string): Promise<{ runtimePath: string }> {
  const missing: string[] = [];
  for (const [name, debianPackage] of Object.entries(NEEDED)) {
    if ((await findProgram(name)) === undefined) missing.push(`${name} (package ${debianPackage})`);
  }
  const runtimePath = await findProgram(runtime);
  if (runtimePath === undefined) missing.push(`${runtime} (the OCI runtime; package runc)`);
  if (!(await isExecutable(initPath))) missing.push(`${initPath} (package tini)`);
  if (runtimePath !== undefined && missing.length === 0) return { runtimePath };
  throw new ContainerError('failed', `containers need ${missing.join(', ')}, not found on this machine; install it`);
}

async function findProgram(name: string): Promise<string | undefined> {
  if (name.startsWith('/')) return (await isExecutable(name)) ? name : undefined;
  for (const folder of [...environment.path.split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
