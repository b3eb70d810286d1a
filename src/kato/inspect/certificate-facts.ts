import { createPrivateKey, X509Certificate } from 'node:crypto';
import { basename } from 'node:path';
import { busCertificate } from '../../bus/server-config.ts';
import type { CertificateFacts } from '../../core/inspection.ts';
import { readTextIfExists } from '../../platform/files.ts';
import type { Node } from '../node.ts';
import { listFiles } from './machine-facts.ts';

type Wanted = {
  readonly what: string;
  readonly path: string;
  readonly isOurs: boolean;
  readonly names: readonly string[];
};

/** Every certificate of this node, with what is wrong with it besides its time. */
export async function certificateFacts({ paths, config, file }: Node): Promise<CertificateFacts[]> {
  const { domain } = config.cluster;
  const has = (role: string) => file.roles.includes(role);
  const custom = [
    ...(has('router') ? await listFiles(paths.routerCertificates, '.pem') : []),
    ...(has('load_balancer') ? await listFiles(paths.balancerCertificates, '.pem') : []),
  ];
  const wanted: Wanted[] = [
    ...(has('router') ? [{ what: 'routers', path: paths.routerCertificate, isOurs: true, names: [domain] }] : []),
    ...(has('primary') ? [{ what: 'bus', path: busCertificate(paths), isOurs: true, names: ['localhost'] }] : []),
    ...(file.isMicro ? [] : [{ what: 'node', path: paths.nodeCertificate, isOurs: true, names: [] }]),
    ...custom.map((path) => ({ what: `custom ${basename(path, '.pem')}`, path, isOurs: false, names: [] })),
  ];
  const ca = await readTextIfExists(paths.caCertificate);
  const authority = ca === undefined ? undefined : new X509Certificate(ca);
  return [
    factsOf({ what: 'authority', path: paths.caCertificate, isOurs: false, names: [] }, ca, undefined),
    ...(await Promise.all(wanted.map(async (one) => factsOf(one, await readTextIfExists(one.path), authority)))),
  ];
}

function factsOf(wanted: Wanted, pem: string | undefined, authority: X509Certificate | undefined): CertificateFacts {
  const { what, path } = wanted;
  if (pem === undefined) return { what, path, fault: 'is missing', fromMs: 0, toMs: 0 };
  try {
    const certificate = new X509Certificate(pem);
    const fault = faultOf(wanted, { pem, certificate, authority });
    const times = { fromMs: Date.parse(certificate.validFrom), toMs: Date.parse(certificate.validTo) };
    return { what, path, ...times, ...(fault === undefined ? {} : { fault }) };
  } catch (error) {
    return { what, path, fault: `can't be read: ${(error as Error).message}`, fromMs: 0, toMs: 0 };
  }
}

function faultOf(
  { isOurs, names }: Wanted,
  seen: { pem: string; certificate: X509Certificate; authority: X509Certificate | undefined },
): string | undefined {
  const { pem, certificate, authority } = seen;
  if (isOurs && (authority === undefined || !certificate.verify(authority.publicKey))) {
    return "is not signed by this cluster's authority";
  }
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/.exec(pem)?.[0];
  if (key !== undefined && !certificate.checkPrivateKey(createPrivateKey(key))) return 'the key is another one’s';
  const missing = names.filter((name) => certificate.checkHost(name) === undefined);
  return missing.length === 0 ? undefined : `is not for ${missing.join(', ')}`;
}
