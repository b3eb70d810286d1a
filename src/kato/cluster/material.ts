import { rm } from 'node:fs/promises';
import type { NodeMaterial } from '../../contract/registry.ts';
import { busUserNames } from '../../core/bus-permissions.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';
import { getUser, type SystemUser } from '../../platform/system-user.ts';
import { writeTopology } from '../topology-file.ts';

const root: Pick<SystemUser, 'uid' | 'gid'> = { uid: 0, gid: 0 };
const ROOT_PROCESSES = ['router', 'dea', 'stager', 'base', 'kato', 'load_balancer', 'mdns'];

/**
 * Writes what the Core gave to a node: authority, certificate, credentials of its processes, configuration and topology.
 * Credentials of processes that it no longer runs are taken away.
 *
 * @param options `key`: of the certificate, when one was asked for; `supervisor`: this node's own password
 * @returns processes that have other credentials now
 */
export async function writeMaterial(
  paths: Paths,
  material: NodeMaterial,
  options: { key?: string; supervisor: { user: string; password: string } },
): Promise<string[]> {
  const stackato = await getUser('stackato');
  await writeOwnedFile(paths.caCertificate, material.ca, { owner: root, mode: 0o644 });
  if (material.certificate !== '' && options.key !== undefined) {
    const pem = `${material.certificate}${material.ca}${options.key}`;
    await writeOwnedFile(paths.nodeCertificate, pem, { owner: stackato, mode: 0o600 });
  }
  if (material.routerCertificate !== undefined) {
    await writeOwnedFile(paths.routerCertificate, material.routerCertificate, { owner: root, mode: 0o600 });
  }
  const config = `${JSON.stringify(material.config, null, 2)}\n`;
  await writeOwnedFile(paths.clusterFile, config, { owner: { uid: 0, gid: stackato.gid }, mode: 0o640 });
  const changed: string[] = [];
  for (const process of busUserNames) {
    const given = material.credentials[process];
    if (given === undefined) {
      await rm(paths.credentials(process), { force: true });
      continue;
    }
    const file = {
      ...given,
      bus: { ...given.bus, caFile: paths.caCertificate },
      ...(process === 'base' || process === 'kato' ? { supervisor: options.supervisor } : {}),
    };
    const owner = ROOT_PROCESSES.includes(process) ? root : stackato;
    const text = `${JSON.stringify(file, null, 2)}\n`;
    if (await writeOwnedFile(paths.credentials(process), text, { owner, mode: 0o600 })) changed.push(process);
  }
  await writeTopology(paths, material.topology);
  return changed;
}
