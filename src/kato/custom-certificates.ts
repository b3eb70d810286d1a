import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { certificateFault } from '../platform/certificate-folder.ts';
import { systemClock } from '../platform/clock.ts';
import { isMissing, readTextIfExists } from '../platform/files.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import type { Node } from './node.ts';
import { Refusal } from './refusal.ts';

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A certificate that an administrator installed. */
export type CustomCertificate = {
  readonly domain: string;
  readonly names: readonly string[];
  readonly until: string;
  readonly path: string;
};

/**
 * Installs a certificate for a domain on this node's router or load balancer, which take it up within a second or two.
 *
 * @param files PEM texts: the key, and the certificate with its chain
 * @throws Refusal when they don't fit each other, the domain, or the time
 */
export async function installCertificate(
  node: Node,
  files: { key: string; certificate: string },
  { domain, isWildcard }: { domain: string; isWildcard: boolean },
): Promise<CustomCertificate> {
  requireDomain(domain);
  const pem = checkedPem(files);
  const certificate = new X509Certificate(pem);
  requireNow(certificate);
  for (const name of isWildcard ? [domain, `any.${domain}`] : [domain]) requireName(certificate, name);
  const paths = foldersOf(node).map((folder) => join(folder, `${domain}.pem`));
  for (const path of paths) await writeOwnedFile(path, pem, { owner: { uid: 0, gid: 0 }, mode: 0o600 });
  return describeCertificate(paths[0] ?? '', certificate);
}

/** Takes a certificate away again. */
export async function removeCertificate(node: Node, domain: string): Promise<void> {
  requireDomain(domain);
  let found = false;
  for (const folder of foldersOf(node)) {
    const path = join(folder, `${domain}.pem`);
    if ((await readTextIfExists(path)) === undefined) continue;
    await rm(path);
    found = true;
  }
  if (!found)
    throw new Refusal(`no certificate for ${domain} is installed here`, '`kato op custom_ssl_cert list` shows them');
}

export async function listCertificates(node: Node): Promise<CustomCertificate[]> {
  const found = new Map<string, CustomCertificate>();
  for (const folder of foldersOf(node)) {
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      const pem = (await readTextIfExists(path)) ?? '';
      const fault = certificateFault(pem);
      const domain = basename(name, '.pem');
      if (fault === undefined) found.set(domain, describeCertificate(path, new X509Certificate(pem)));
      else found.set(domain, { domain, names: [], until: `not served: ${fault}`, path });
    }
  }
  return [...found.values()].sort((a, b) => a.domain.localeCompare(b.domain));
}

function foldersOf({ paths, file }: Node): string[] {
  const folders = [
    ...(file.roles.includes('router') ? [paths.routerCertificates] : []),
    ...(file.roles.includes('load_balancer') ? [paths.balancerCertificates] : []),
  ];
  if (folders.length > 0) return folders;
  throw new Refusal(
    'certificates belong to routers and load balancers, and this node has neither role',
    'run it on each node that has one; `kato node list` shows them',
  );
}

function checkedPem({ key, certificate }: { key: string; certificate: string }): string {
  const blocks = certificate.match(BLOCK) ?? [];
  if (blocks.length === 0)
    throw new Refusal(
      'the certificate file holds no certificate (PEM)',
      'kato op custom_ssl_cert install KEY CERT DOMAIN',
    );
  try {
    createPrivateKey(key);
  } catch (cause) {
    throw new Refusal(
      'the key file holds no private key (PEM), or one with a passphrase',
      'take the passphrase off: openssl pkey -in KEY -out PLAIN-KEY',
      { cause },
    );
  }
  const pem = `${blocks.join('\n')}\n${key.trim()}\n`;
  const fault = certificateFault(pem);
  if (fault === undefined) return pem;
  throw new Refusal(`key and certificate don't fit: ${fault}`, 'give the key that the certificate was requested with');
}

function requireNow(certificate: X509Certificate): void {
  const nowMs = systemClock.nowMs();
  if (Date.parse(certificate.validTo) <= nowMs)
    throw new Refusal(`the certificate ended on ${certificate.validTo}`, 'renew it');
  if (Date.parse(certificate.validFrom) <= nowMs) return;
  throw new Refusal(
    `the certificate counts only from ${certificate.validFrom}`,
    'check this machine’s clock: kato inspect clock',
  );
}

function requireName(certificate: X509Certificate, name: string): void {
  if (certificate.checkHost(name) !== undefined) return;
  const has = certificate.subjectAltName ?? certificate.subject;
  throw new Refusal(`the certificate is not for ${name}; it is for ${has}`, 'install it for a domain that it names');
}

function requireDomain(domain: string): void {
  const labels = domain.split('.');
  if (domain.length <= 200 && labels.length >= 2 && labels.every((label) => LABEL.test(label))) return;
  throw new Refusal(`'${domain}' is no domain`, 'for example www.example.com, in small letters');
}

function describeCertificate(path: string, certificate: X509Certificate): CustomCertificate {
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  return {
    domain: basename(path, '.pem'),
    names,
    until: new Date(certificate.validTo).toISOString().slice(0, 10),
    path,
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.pem'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
