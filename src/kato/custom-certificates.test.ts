import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateFolder } from '../platform/certificate-folder.ts';
import { FakeClock } from '../platform/clock.ts';
import { exec } from '../platform/exec.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { pathsOf } from '../platform/paths.ts';
import { installCertificate, listCertificates, removeCertificate } from './custom-certificates.ts';
import type { Node } from './node.ts';

const skip = process.getuid?.() === 0 ? false : 'certificates are given to root, which needs root';

async function pairFor(folder: string, names: readonly string[], days = '30') {
  const [key, certificate] = [join(folder, `${names[0]}.key`), join(folder, `${names[0]}.crt`)];
  await exec([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', days],
    ...['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') };
}

test('a certificate is installed, shown, served and taken away; what does not fit is refused', { skip }, async () => {
  await using folder = await temporaryDirectory('certificates-test');
  const paths = pathsOf(join(folder.path, 'state'));
  const node = { paths, file: { roles: ['base', 'router'] } } as Node;
  const www = await pairFor(folder.path, ['www.example.com', '*.www.example.com']);
  const other = await pairFor(folder.path, ['other.example.com']);
  const domain = 'www.example.com';

  const installed = await installCertificate(node, www, { domain, isWildcard: true });
  assert.equal((await stat(installed.path)).mode & 0o777, 0o600);
  assert.deepEqual(
    (await listCertificates(node)).map((one) => one.domain),
    [domain],
  );

  const refusals: [RegExp, Promise<unknown>][] = [
    [
      /key and certificate don't fit/,
      installCertificate(node, { ...www, key: other.key }, { domain, isWildcard: false }),
    ],
    [/not for www\.example\.com; it is for DNS:other/, installCertificate(node, other, { domain, isWildcard: false })],
    [/not for any\.other/, installCertificate(node, other, { domain: 'other.example.com', isWildcard: true })],
    [/holds no certificate/, installCertificate(node, { ...www, certificate: 'x' }, { domain, isWildcard: false })],
    [/holds no private key/, installCertificate(node, { ...www, key: 'x' }, { domain, isWildcard: false })],
    [/is no domain/, installCertificate(node, www, { domain: '../../router', isWildcard: false })],
    [/has neither role/, listCertificates({ ...node, file: { roles: ['base', 'dea'] } } as Node)],
    [/no certificate for other/, removeCertificate(node, 'other.example.com')],
  ];
  for (const [reason, refused] of refusals) await assert.rejects(refused, reason);

  await writeFile(paths.routerCertificate, `${other.certificate}${other.key}`);
  const clock = new FakeClock();
  using served = await CertificateFolder.open(paths, { log: silentLog, clock });
  assert.deepEqual(served.paths(), [paths.routerCertificate, installed.path]);
  const seen: (readonly string[])[] = [];
  served.onChange((list) => void seen.push(list));
  await served.look();
  assert.deepEqual(seen, [], 'nothing changed');
  // One that can't be served is left out: HAProxy would not start with it.
  await writeFile(join(paths.routerCertificates, 'broken.pem'), `${www.certificate}${other.key}`);
  await served.look();
  assert.deepEqual(seen, [[paths.routerCertificate, installed.path]]);
  await removeCertificate(node, domain);
  await served.look();
  assert.deepEqual(seen.at(-1), [paths.routerCertificate]);
});
