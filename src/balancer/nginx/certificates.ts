import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { listPem } from '../../platform/certificate-folder.ts';
import { readTextIfExists } from '../../platform/files.ts';
import type { ServedCertificate } from './config-file.ts';

/** The certificates to serve, the default one first, and what changes when one of their files does. */
export async function readCertificates(
  defaultCertificate: string,
  folder: string,
): Promise<{ certificates: ServedCertificate[]; stamp: string; faults: string[] }> {
  const paths = [defaultCertificate, ...(await listPem(folder))];
  const certificates: ServedCertificate[] = [];
  const faults: string[] = [];
  const stamps: string[] = [];
  for (const path of paths) {
    const text = await readTextIfExists(path);
    if (text === undefined && path === defaultCertificate) {
      throw new Error(`${path}, the load balancer's certificate, does not exist; run the set-up again`);
    }
    if (text === undefined) continue;
    try {
      certificates.push({ path, names: namesOf(text) });
      stamps.push(`${path} ${(await stat(path)).mtimeMs}`);
    } catch (error) {
      if (path === defaultCertificate) throw new Error(`${path} holds no certificate`, { cause: error });
      faults.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { certificates, stamp: stamps.join('\n'), faults };
}

/** @throws Error when the text has no certificate or no key */
function namesOf(pem: string): string[] {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) throw new Error('it holds no private key');
  const { subject, subjectAltName } = new X509Certificate(pem);
  const alternative = (subjectAltName ?? '').split(', ').flatMap((name) => name.match(/^DNS:(.+)$/)?.[1] ?? []);
  const common = /^CN=(.+)$/m.exec(subject)?.[1];
  const names = alternative.length > 0 ? alternative : common === undefined ? [] : [common];
  return names.map((name) => name.toLowerCase()).filter((name) => /^(\*\.)?[a-z0-9_.-]+$/.test(name));
}
