import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../platform/files.ts';
import { rootRoutes } from '../handlers/root.ts';
import { consoleFiles } from './console-files.ts';
import { testApi } from './test-controller.ts';

const DOMAIN = 'stackato.localhost';
const onConsole = { host: `console.${DOMAIN}:8080` };

test("the console's hosts get its files, its page for its own paths, and still the API", async () => {
  await using folder = await temporaryDirectory('console-test');
  await mkdir(join(folder.path, 'assets'));
  await writeFile(join(folder.path, 'index.html'), '<title>Stackato</title>');
  await writeFile(join(folder.path, 'assets', 'main-a1b2c3d4.js'), 'let x;');
  await using api = await testApi({ routes: rootRoutes, console: consoleFiles(folder.path, DOMAIN) });
  const get = (path: string, headers: Record<string, string> = onConsole) =>
    api.call('GET', path, { as: '', headers: { 'content-type': 'text/plain', ...headers } });

  for (const path of ['/', '/apps/some-guid', '/assets', '/assets/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd']) {
    const page = await get(path);
    assert.deepEqual([page.status, page.body], [200, '<title>Stackato</title>'], path);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(page.headers['cache-control'], 'no-cache');
  }
  const script = await get('/assets/main-a1b2c3d4.js');
  assert.equal(script.body, 'let x;');
  assert.match(String(script.headers['content-type']), /javascript/);
  assert.match(String(script.headers['cache-control']), /immutable/);
  assert.equal((await get('/', { host: DOMAIN })).body, '<title>Stackato</title>', 'the bare domain too');
  assert.equal((await get('/v3/info')).body.name, 'stackato');
  assert.equal((await get('/v3')).body.links.self.href, `http://console.${DOMAIN}:8080/v3`);
  assert.ok((await get('/', { host: `api.${DOMAIN}` })).body.links, "the API's host has the root document");
});

test('a console that was not built says how to build it', async () => {
  await using api = await testApi({ routes: rootRoutes, console: consoleFiles('/nowhere', DOMAIN) });
  const page = await api.call('GET', '/', { as: '', headers: onConsole });
  assert.equal(page.status, 503);
  assert.match(page.body.errors[0].detail, /build:console/);
});
