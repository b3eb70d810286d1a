import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { listPem } from './certificate-folder.ts';
import { readTextIfExists } from './files.ts';
import { writeOwnedFile } from './owned-files.ts';
import type { Paths } from './paths.ts';

const MARK = '# Kept by the cluster; changed with `kato op custom_ssl_cert`.\n';

type Folders = Pick<Paths, 'routerCertificates' | 'balancerCertificates'>;

/** The folders of certificates that a node with these roles serves from. */
export function certificateFolders(paths: Folders, roles: readonly string[]): string[] {
  return [
    ...(roles.includes('router') ? [paths.routerCertificates] : []),
    ...(roles.includes('load_balancer') ? [paths.balancerCertificates] : []),
  ];
}

/**
 * Makes the folders that these roles serve from hold these certificates, `<domain>.pem` each, and others none. Files that
 * somebody put there by hand stay.
 *
 * @returns domains that were written or taken away
 */
export async function keepCertificates(
  paths: Folders,
  roles: readonly string[],
  certificates: readonly { readonly domain: string; readonly pem: string }[],
): Promise<string[]> {
  const changed = new Set<string>();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const serving = certificateFolders(paths, roles);
  for (const folder of [paths.routerCertificates, paths.balancerCertificates]) {
    const wanted = serving.includes(folder) ? certificates : [];
    for (const { domain, pem } of wanted) {
      const path = join(folder, `${domain}.pem`);
      if (await writeOwnedFile(path, `${MARK}${pem}`, { owner, mode: 0o600 })) changed.add(domain);
    }
    for (const path of await listPem(folder)) {
      const domain = basename(path, '.pem');
      if (wanted.some((one) => one.domain === domain)) continue;
      if (!(await readTextIfExists(path))?.startsWith(MARK)) continue;
      await rm(path);
      changed.add(domain);
    }
  }
  return [...changed];
}
