import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec } from '../platform/exec.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { keepCertificates } from '../platform/kept-certificates.ts';
import { pathsOf } from '../platform/paths.ts';
import { installCertificate, listCertificates, removeCertificate } from './custom-certificates.ts';
import type { Node } from './node.ts';

async function pairFor(folder: string, names: readonly string[]) {
  const [key, certificate] = [join(folder, `${names[0]}.key`), join(folder, `${names[0]}.crt`)];
  await exec([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') };
}

/** The same certificate, but that its time is over. */
async function endedLike({ key, certificate }: { key: string; certificate: string }, folder: string): Promise<string> {
  const [keyFile, file] = [join(folder, 'ended.key'), join(folder, 'ended.crt')];
  await writeFile(keyFile, key);
  await writeFile(file, certificate);
  return (await exec(['openssl', 'x509', '-in', file, '-signkey', keyFile, '-days', '-1'])).stdout;
}

test('what does not fit is refused before the Core is asked, and other nodes name the Core', async () => {
  await using folder = await temporaryDirectory('certificates-test');
  const paths = pathsOf(join(folder.path, 'state'));
  const nodeWith = (...roles: string[]) =>
    ({ paths, config: { bus: { port: 1 } }, file: { roles, coreAddress: '10.0.0.1' } }) as unknown as Node;
  const core = nodeWith('base', 'primary', 'router');
  const www = await pairFor(folder.path, ['www.example.com', '*.www.example.com']);
  const other = await pairFor(folder.path, ['other.example.com']);
  const ended = { ...other, certificate: await endedLike(other, folder.path) };
  const domain = 'www.example.com';
  const install = (
    files: { key: string; certificate: string },
    wanted: { domain?: string; isWildcard?: boolean } = {},
    node = core,
  ) => installCertificate(node, files, { domain, isWildcard: false, ...wanted });

  const refusals: [RegExp, Promise<unknown>][] = [
    [/key and certificate don't fit/, install({ ...www, key: other.key })],
    [/not for www\.example\.com; it is for DNS:other/, install(other)],
    [/not for any\.other/, install(other, { domain: 'other.example.com', isWildcard: true })],
    [/the certificate ended on/, install(ended, { domain: 'other.example.com' })],
    [/holds no certificate/, install({ ...www, certificate: 'x' })],
    [/holds no private key/, install({ ...www, key: 'x' })],
    [/is no domain/, install(www, { domain: '../../router' })],
    [/kept by its Core, and this is another node/, install(www, {}, nodeWith('base', 'router'))],
    [/kept by its Core, and this is another node/, removeCertificate(nodeWith('base', 'router'), domain)],
    [/has neither role/, listCertificates(nodeWith('base', 'dea'))],
    [/the primary does not answer/, install(www, { isWildcard: true })],
  ];
  for (const [reason, refused] of refusals) await assert.rejects(refused, reason);
});

test('a node that serves them shows those that it has', async () => {
  await using folder = await temporaryDirectory('certificates-test');
  const paths = pathsOf(join(folder.path, 'state'));
  const www = await pairFor(folder.path, ['www.example.com']);
  const broken = { domain: 'broken.example.com', pem: `${www.certificate}` };
  const good = { domain: 'www.example.com', pem: `${www.certificate}${www.key}` };
  await keepCertificates(paths, ['router'], [good, broken]);
  const node = { paths, file: { roles: ['base', 'router'] } } as Node;
  const [first, second] = (await listCertificates(node)).sort((a, b) => a.domain.localeCompare(b.domain));
  assert.match(first?.until ?? '', /not served: it holds no private key/);
  assert.deepEqual([second?.domain, second?.names], ['www.example.com', ['www.example.com']]);
});
