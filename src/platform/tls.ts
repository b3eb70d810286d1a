import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from './exec.ts';
import { readTextIfExists, temporaryDirectory } from './files.ts';
import { writeOwnedFile } from './owned-files.ts';
import type { SystemUser } from './system-user.ts';

const RENEW_BEFORE_MS = 30 * 86_400_000;
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Paths of an authority's certificate and key, PEM. */
export type Authority = { readonly certificate: string; readonly key: string };

/** Makes a certificate authority at these two paths unless both are there. Gives true when it made one. */
export async function ensureAuthority(
  paths: Authority,
  options: { name: string; owner: SystemUser },
): Promise<boolean> {
  const [certificate, key] = [await readTextIfExists(paths.certificate), await readTextIfExists(paths.key)];
  if (certificate !== undefined && key !== undefined) return false;
  await using folder = await temporaryDirectory('stackato-ca');
  const at = (name: string) => join(folder.path, name);
  await writeFile(
    at('ca.conf'),
    [
      ...['[req]', 'distinguished_name=dn', 'x509_extensions=ext', 'prompt=no', '[dn]', `CN=${options.name}`],
      ...['[ext]', 'basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'],
      'subjectKeyIdentifier=hash',
    ].join('\n'),
  );
  await exec([
    ...['openssl', 'req', '-x509', '-new', '-days', '3650', '-config', at('ca.conf'), ...NEW_KEY],
    ...['-keyout', at('key'), '-out', at('certificate')],
  ]);
  // The certificate last: as long as it is missing, both are made anew.
  await rm(paths.certificate, { force: true });
  await writeOwnedFile(paths.key, await read(at('key')), { owner: options.owner, mode: 0o600 });
  await writeOwnedFile(paths.certificate, await read(at('certificate')), { owner: options.owner, mode: 0o644 });
  return true;
}

/**
 * Makes a server certificate with its key in one PEM file unless one for the same names is there, signed by this
 * authority and good for another 30 days. Gives true when it made one.
 *
 * @param options `names`: DNS names and IP addresses, as `DNS:*.example.com` and `IP:127.0.0.1`; `mayHaveMore`: one for
 *   these and others will do; `isNew`: make one in any case
 */
export async function ensureServerCertificate(
  path: string,
  authority: Authority,
  options: { names: readonly string[]; mayHaveMore?: boolean; isNew?: boolean; owner: SystemUser; nowMs: number },
): Promise<boolean> {
  const existing = await readTextIfExists(path);
  const ca = await read(authority.certificate);
  if (!options.isNew && existing !== undefined && isGoodCertificate(existing, { authority, ...options })) return false;
  await using folder = await temporaryDirectory('stackato-tls');
  const at = (name: string) => join(folder.path, name);
  const commonName = options.names[0]?.replace(/^\w+:/, '').slice(0, 64) ?? 'stackato';
  await writeFile(at('req.conf'), `[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=${commonName}\n`);
  await exec([
    'openssl',
    'req',
    '-new',
    '-config',
    at('req.conf'),
    ...NEW_KEY,
    '-keyout',
    at('key'),
    '-out',
    at('csr'),
  ]);
  await sign(authority, { folder: folder.path, names: options.names, usage: 'serverAuth' });
  const pem = `${await read(at('certificate'))}${ca}${await read(at('key'))}`;
  await writeOwnedFile(path, pem, { owner: options.owner, mode: 0o600 });
  return true;
}

/** A key of this machine's own and a request for a certificate with it, both PEM. */
export async function makeCertificateRequest(commonName: string): Promise<{ key: string; csr: string }> {
  if (!/^[0-9a-z.-]{1,64}$/.test(commonName)) throw new Error(`'${commonName}' is no common name`);
  await using folder = await temporaryDirectory('stackato-csr');
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('req.conf'), `[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=${commonName}\n`);
  await exec([
    'openssl',
    'req',
    '-new',
    '-config',
    at('req.conf'),
    ...NEW_KEY,
    '-keyout',
    at('key'),
    '-out',
    at('csr'),
  ]);
  return { key: await read(at('key')), csr: await read(at('csr')) };
}

/**
 * Signs a request of somebody else for both ends of TLS. Its subject must be this common name and nothing more; the names
 * are ours to give.
 *
 * @returns the certificate, PEM
 * @throws Error when the request is not for this common name, or not signed by its own key
 */
export async function signCertificateRequest(
  csr: string,
  authority: Authority,
  options: { commonName: string; names: readonly string[] },
): Promise<string> {
  await using folder = await temporaryDirectory('stackato-sign');
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('csr'), csr);
  const shown = await exec(
    ['openssl', 'req', '-in', at('csr'), '-noout', '-verify', '-subject', '-nameopt', 'RFC2253'],
    { okCodes: [0, 1] },
  );
  if (shown.code !== 0 || shown.stdout.trim() !== `subject=CN=${options.commonName}`) {
    throw new Error('the certificate request is not this node’s own');
  }
  await sign(authority, { folder: folder.path, names: options.names, usage: 'serverAuth,clientAuth' });
  return read(at('certificate'));
}

/** Signs `csr` in this folder into `certificate`. */
async function sign(
  authority: Authority,
  { folder, names, usage }: { folder: string; names: readonly string[]; usage: string },
): Promise<void> {
  const at = (name: string) => join(folder, name);
  await writeFile(
    at('ext.conf'),
    [
      ...['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', `extendedKeyUsage=${usage}`],
      ...['authorityKeyIdentifier=keyid', `subjectAltName=${names.join(',')}`],
    ].join('\n'),
  );
  const signer = ['-CA', authority.certificate, '-CAkey', authority.key, '-CAserial', at('serial'), '-CAcreateserial'];
  await exec([
    ...['openssl', 'x509', '-req', '-in', at('csr'), ...signer, '-days', '825', '-extfile', at('ext.conf')],
    ...['-out', at('certificate')],
  ]);
}

/** Is this a certificate of this authority for exactly these names (or these and more), good for another 30 days? */
export function isGoodCertificate(
  pem: string,
  wanted: { authority: Authority; names: readonly string[]; mayHaveMore?: boolean; nowMs: number },
): boolean {
  const certificate = new X509Certificate(pem);
  const has = namesOf(certificate);
  return (
    certificate.verify(new X509Certificate(readFileSync(wanted.authority.certificate)).publicKey) &&
    Date.parse(certificate.validTo) - wanted.nowMs > RENEW_BEFORE_MS &&
    wanted.names.every((name) => has.includes(name)) &&
    (wanted.mayHaveMore === true || has.length === wanted.names.length)
  );
}

/** The names that a certificate is for, as `DNS:*.example.com` and `IP:127.0.0.1`. */
export function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace('IP Address:', 'IP:'));
}

async function read(path: string): Promise<string> {
  const text = await readTextIfExists(path);
  if (text === undefined) throw new Error(`${path} does not exist`);
  return text;
}
