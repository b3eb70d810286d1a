import { X509Certificate } from 'node:crypto';
import { chown, readFile } from 'node:fs/promises';
import { busCertificate } from '../../bus/server-config.ts';
import { certificateNames } from '../../contract/topology.ts';
import { systemClock } from '../../platform/clock.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { getUser, type SystemUser } from '../../platform/system-user.ts';
import {
  type Authority,
  ensureAuthority,
  ensureServerCertificate,
  isGoodCertificate,
  makeCertificateRequest,
  namesOf,
  signCertificateRequest,
} from '../../platform/tls.ts';
import type { Node } from '../node.ts';
import type { Step } from './step.ts';

/** The cluster's own authority, and the certificates of routers and bus, made anew a month before they end. */
export const makeCertificates: Step = {
  title: 'Certificates',
  run: async ({ node }) => ((await ensureCertificates(await node())) ? 'done' : 'already'),
};

/**
 * Makes those of the node's certificates that are missing, near their end, or for other names.
 *
 * @param options `domains`: what the routers' is for, without it the cluster's domain at least; `isNew`: make all of them,
 *   with new keys
 */
export async function ensureCertificates(
  node: Node,
  { domains, isNew = false }: { domains?: readonly string[]; isNew?: boolean } = {},
): Promise<boolean> {
  const { paths, config, file } = node;
  const authority = { certificate: paths.caCertificate, key: paths.caKey };
  const root = await getUser('root');
  const stackato = await getUser('stackato');
  const nowMs = systemClock.nowMs();
  const made = [await ensureAuthority(authority, { name: `Stackato ${file.id.slice(0, 8)}`, owner: root })];
  const named = (domains ?? [config.cluster.domain]).flatMap((domain) => [`DNS:${domain}`, `DNS:*.${domain}`]);
  const routerPem = isNew ? await readTextIfExists(paths.routerCertificate) : undefined;
  const routerNames = routerPem === undefined ? named : namesOf(new X509Certificate(routerPem));
  // The bus client checks an address's certificate for the name localhost.
  const busNames = ['DNS:localhost', 'IP:127.0.0.1', ...(file.address === '127.0.0.1' ? [] : [`IP:${file.address}`])];
  // The primary hands it to the routers of other nodes.
  const owner = file.isMicro ? root : stackato;
  const wanted = { names: routerNames, mayHaveMore: domains === undefined, isNew, owner, nowMs };
  made.push(await ensureServerCertificate(paths.routerCertificate, authority, wanted));
  made.push(
    await ensureServerCertificate(busCertificate(paths), authority, { names: busNames, isNew, owner: stackato, nowMs }),
  );
  if (!file.isMicro) made.push(await ensureNodeCertificate(node, authority, { stackato, isNew }));
  return made.some(Boolean);
}

/** The Core's own certificate for the links; the primary signs those of other nodes and hands routers theirs, so it reads both. */
async function ensureNodeCertificate(
  node: Node,
  authority: Authority,
  { stackato, isNew }: { stackato: SystemUser; isNew: boolean },
): Promise<boolean> {
  const { paths, file } = node;
  for (const path of [authority.key, paths.routerCertificate]) await chown(path, stackato.uid, stackato.gid);
  const existing = await readTextIfExists(paths.nodeCertificate);
  const names = certificateNames(file);
  const nowMs = systemClock.nowMs();
  if (!isNew && existing !== undefined && isGoodCertificate(existing, { authority, names, nowMs })) return false;
  const { key, csr } = await makeCertificateRequest(file.id);
  const certificate = await signCertificateRequest(csr, authority, { commonName: file.id, names });
  const ca = await readFile(authority.certificate, 'utf8');
  await writeOwnedFile(paths.nodeCertificate, `${certificate}${ca}${key}`, { owner: stackato, mode: 0o600 });
  return true;
}
