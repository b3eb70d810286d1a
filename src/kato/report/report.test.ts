import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { pathsOf } from '../../platform/paths.ts';
import type { Node } from '../node.ts';
import { writeReport } from './report.ts';

const hex = (digit: string) => digit.repeat(48);
const key = Buffer.alloc(32, 7).toString('base64');
const privateKey = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg';
const token = `${'a'.repeat(40)}.${'b'.repeat(32)}`;
const secrets = [
  hex('1'),
  hex('2'),
  hex('3'),
  hex('4'),
  key,
  privateKey,
  token,
  'proxy-pw!',
  'correct horse',
  'ghp_abcdef',
];

test('a report has logs, settings and states, and none of the secrets of the node', async () => {
  await using folder = await temporaryDirectory('report-test');
  const paths = pathsOf(join(folder.path, 'state'));
  const files: Record<string, string> = {
    [paths.nodeFile]: '{"id":"abc","address":"10.0.0.1"}',
    [paths.credentials('dea')]: JSON.stringify({ bus: { user: 'dea', password: hex('1') }, signingKey: key }),
    [paths.credentials('aok')]: JSON.stringify({ databaseUrl: `postgresql://aok:${hex('2')}@localhost/stackato` }),
    [join(paths.setup, 'secrets.json')]: JSON.stringify({ supervisor: hex('3'), encryptionKey: key }),
    [join(paths.setup, 'first-admin.json')]: JSON.stringify({ email: 'me@example.com', password: 'correct horse' }),
    [paths.clusterFile]: JSON.stringify({
      staging: { environment: { HTTP_PROXY: 'http://me:proxy-pw!@proxy:3128', GITHUB_TOKEN: 'ghp_abcdef' } },
    }),
    [join(paths.nats, 'nats.conf')]: `users: [ { user: "router-n7", password: "${hex('4')}" } ]`,
    [join(paths.log, 'dea.log')]: [
      `{"msg":"connected","url":"postgresql://aok:${hex('2')}@localhost"}`,
      `{"msg":"${hex('1')} ${hex('4')} ${key} ${encodeURIComponent(key)}"}`,
      `{"msg":"proxy http://me:proxy-pw!@proxy:3128 ghp_abcdef correct horse"}`,
      `kato node attach --token ${token}`,
      `-----BEGIN PRIVATE KEY-----\n${privateKey}\n-----END PRIVATE KEY-----`,
      'an ordinary line',
    ].join('\n'),
    [join(paths.log, 'dea.log.1')]: `${hex('3')}\n`,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const path = join(folder.path, 'report.tar.gz');
  const documents = { 'status.json': [{ name: 'dea', ready: true, note: hex('1') }] };
  const node = { paths } as Node;
  await writeReport(node, { name: 'report', path, documents, signal: new AbortController().signal });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await exec(['tar', '-xzf', path, '-C', folder.path]);
  const names = await readdir(join(folder.path, 'report'), { recursive: true, withFileTypes: true });
  let all = '';
  for (const one of names.filter((entry) => entry.isFile()))
    all += await readFile(join(one.parentPath, one.name), 'utf8');
  for (const secret of secrets) assert.ok(!all.includes(secret), `${secret} is in the report`);
  for (const shown of ['an ordinary line', 'router-n7', '"ready": true', '10.0.0.1', 'proxy:3128']) {
    assert.ok(all.includes(shown), `${shown} is not in the report`);
  }
});
