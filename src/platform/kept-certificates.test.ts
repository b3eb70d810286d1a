import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateFolder } from './certificate-folder.ts';
import { FakeClock } from './clock.ts';
import { exec } from './exec.ts';
import { temporaryDirectory } from './files.ts';
import { keepCertificates } from './kept-certificates.ts';
import { silentLog } from './log.ts';
import { pathsOf } from './paths.ts';

test('folders follow what the cluster keeps and the roles; what was put there by hand stays', async () => {
  await using folder = await temporaryDirectory('kept-certificates-test');
  const paths = pathsOf(folder.path);
  const { routerCertificates: own, balancerCertificates: balancer } = paths;
  await mkdir(own, { recursive: true });
  await writeFile(join(own, 'mine.pem'), 'by hand');
  const [a, b] = ['a', 'b'].map((pem) => ({ domain: `${pem}.example.com`, pem }));
  const keep = async (roles: string[], ...wanted: (typeof a)[]) =>
    (
      await keepCertificates(
        paths,
        roles,
        wanted.flatMap((one) => one ?? []),
      )
    ).sort();

  assert.deepEqual(await keep(['router'], a, b), ['a.example.com', 'b.example.com']);
  assert.equal((await stat(join(own, 'a.example.com.pem'))).mode & 0o777, 0o600);
  assert.deepEqual(await keep(['router'], a, b), [], 'again, nothing is written');
  assert.deepEqual(await keep(['router'], b), ['a.example.com']);
  assert.deepEqual((await readdir(own)).sort(), ['b.example.com.pem', 'mine.pem']);
  await keep(['load_balancer'], b);
  assert.deepEqual([await readdir(own), await readdir(balancer)], [['mine.pem'], ['b.example.com.pem']]);
  await keep(['dea'], b);
  assert.deepEqual([await readdir(own), await readdir(balancer)], [['mine.pem'], []]);
});

test('what is kept is served; one that can not be is left out, since HAProxy would not start with it', async () => {
  await using folder = await temporaryDirectory('kept-certificates-test');
  const paths = pathsOf(folder.path);
  const pair = join(folder.path, 'pair.pem');
  const names = ['-subj', '/CN=www.example.com', '-addext', 'subjectAltName=DNS:www.example.com'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', pair, '-out', pair];
  await exec(['openssl', 'req', '-x509', '-days', '3', ...names, ...key]);
  const pem = await readFile(pair, 'utf8');
  await mkdir(join(folder.path, 'tls'), { recursive: true });
  await writeFile(paths.routerCertificate, pem);
  using served = await CertificateFolder.open(paths, { log: silentLog, clock: new FakeClock() });
  const seen: (readonly string[])[] = [];
  served.onChange((list) => void seen.push(list));
  const keep = async (...list: { domain: string; pem: string }[]) => {
    await keepCertificates(paths, ['router'], list);
    await served.look();
    return seen.at(-1);
  };
  const good = { domain: 'www.example.com', pem };
  const at = join(paths.routerCertificates, 'www.example.com.pem');
  assert.deepEqual(await keep(good, { domain: 'broken.example.com', pem: 'x' }), [paths.routerCertificate, at]);
  await served.look();
  assert.equal(seen.length, 1, 'nothing changed');
  assert.deepEqual(await keep(), [paths.routerCertificate]);
});
