import { createPrivateKey, X509Certificate } from 'node:crypto';
import { basename } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { certificateFault, listPem } from '../platform/certificate-folder.ts';
import { systemClock } from '../platform/clock.ts';
import { readTextIfExists } from '../platform/files.ts';
import { certificateFolders } from '../platform/kept-certificates.ts';
import { primaryIsSilent } from './config-client.ts';
import type { Node } from './node.ts';
import { ReadinessProbe } from './readiness.ts';
import { Refusal } from './refusal.ts';

const ASK = { timeoutMs: 5000 };
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A certificate that an administrator installed. */
export type CustomCertificate = {
  readonly domain: string;
  readonly names: readonly string[];
  readonly until: string;
};

/**
 * Installs a certificate for a domain: the Core keeps it, and every router and load balancer takes it up within seconds.
 *
 * @param files PEM texts: the key, and the certificate with its chain
 * @returns with `isReplaced` when there was another one for the domain
 * @throws Refusal when they don't fit each other, the domain, or the time; and elsewhere than on the Core
 */
export async function installCertificate(
  node: Node,
  files: { key: string; certificate: string },
  { domain, isWildcard }: { domain: string; isWildcard: boolean },
): Promise<CustomCertificate & { isReplaced: boolean }> {
  requireDomain(domain);
  requireCore(node);
  const pem = checkedPem(files);
  const certificate = new X509Certificate(pem);
  requireNow(certificate);
  for (const name of isWildcard ? [domain, `any.${domain}`] : [domain]) requireName(certificate, name);
  const isReplaced = await changeOnCore(node, { domain, pem });
  return { ...describeCertificate(domain, certificate), isReplaced };
}

/** Takes a certificate away again, from every router and load balancer. */
export async function removeCertificate(node: Node, domain: string): Promise<void> {
  requireDomain(domain);
  requireCore(node);
  if (await changeOnCore(node, { domain })) return;
  throw new Refusal(`no certificate for ${domain} is installed`, '`kato op custom_ssl_cert list` shows them');
}

/** On the Core, those that it keeps for the cluster; on another node with a router or load balancer, those that it serves. */
export async function listCertificates(node: Node): Promise<CustomCertificate[]> {
  if (!node.file.roles.includes('primary')) return listServed(node);
  const { certificates } = await askCore(node, (bus) => bus.request(subjects.certificateList, [], {}, ASK));
  return certificates.map(({ domain, certificate }) => describeCertificate(domain, new X509Certificate(certificate)));
}

async function listServed({ paths, file }: Node): Promise<CustomCertificate[]> {
  const folders = certificateFolders(paths, file.roles);
  if (folders.length === 0) {
    throw new Refusal(
      'certificates belong to routers and load balancers, and this node has neither role',
      `the Core (${file.coreAddress}) shows those of the cluster`,
    );
  }
  const files = (await Promise.all(folders.map(listPem))).flat();
  return Promise.all(
    files.map(async (path) => {
      const domain = basename(path, '.pem');
      const pem = (await readTextIfExists(path)) ?? '';
      const fault = certificateFault(pem);
      if (fault !== undefined) return { domain, names: [], until: `not served: ${fault}` };
      return describeCertificate(domain, new X509Certificate(pem));
    }),
  );
}

/** Gives whether there was one before. */
async function changeOnCore(node: Node, change: { domain: string; pem?: string }): Promise<boolean> {
  const { was, refused } = await askCore(node, (bus) => bus.request(subjects.certificateSet, [], change, ASK));
  if (refused === undefined) return was;
  throw new Refusal(refused, '`kato op custom_ssl_cert remove` those that are no longer needed');
}

async function askCore<T>(node: Node, ask: (bus: Bus) => Promise<T[]>): Promise<T> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const [answer] = bus === undefined ? [] : await ask(bus);
  if (answer === undefined) throw primaryIsSilent();
  return answer;
}

function requireCore({ file }: Node): void {
  if (file.roles.includes('primary')) return;
  throw new Refusal(
    'certificates of the whole cluster are kept by its Core, and this is another node',
    `run it on ${file.coreAddress}: every router and load balancer has it from there within seconds`,
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

function describeCertificate(domain: string, certificate: X509Certificate): CustomCertificate {
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  return { domain, names, until: new Date(certificate.validTo).toISOString().slice(0, 10) };
}
