import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exec } from '../platform/exec.ts';
import { freePort } from '../platform/testing/free-port.ts';

const LIBRARY = fileURLToPath(new URL('../../buildpacks/lib/registry.sh', import.meta.url));
const ASK = `. "${LIBRARY}"; registry_answers "npm registry" staging.npmRegistry "$@" || registry_failed; echo "status $registry_status"`;

let server: Server;
let address = '';
const silent = new Set<Socket>();

before(async () => {
  server = createServer((socket) => {
    silent.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      if (String(bytes).startsWith('GET /broken')) socket.end('HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n');
      // What follows the head of an answer may take its time.
      if (String(bytes).startsWith('GET /cut')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const at = server.address();
  address = typeof at === 'object' && at ? `127.0.0.1:${at.port}` : '';
});

after(() => {
  for (const socket of silent) socket.destroy();
  server.close();
});

const ask = async (urls: readonly string[], env: Record<string, string> = {}) => {
  const argv = ['bash', '-c', `set -euo pipefail; ${ASK}`, 'ask', ...urls];
  return await exec(argv, { env: { PATH: '/usr/bin:/bin', ...env }, okCodes: [0, 1], timeoutMs: 40_000 });
};

test('a registry has answered whatever its status is, and however its answer goes on', async () => {
  assert.equal((await ask([`http://${address}/broken`])).stdout, 'status 500\n');
  assert.equal((await ask([`http://${address}/cut`])).stdout, 'status 200\n');
});

test('a registry that takes connections and says nothing is named within 20 seconds, without its password', async () => {
  const startedMs = performance.now();
  const { code, stdout } = await ask([`http://${address}/broken`, `http://ann:secret@${address}/npm/`]);
  assert.equal(code, 1);
  assert.match(
    stdout,
    new RegExp(`^ !     The npm registry http://${address} does not answer\\.\n !     .*staging\\.npmRegistry`),
  );
  assert.doesNotMatch(stdout, /secret/);
  assert.ok(performance.now() - startedMs < 25_000);
});

test('a registry that refuses, one without a name, and a proxy that refuses are told apart', async () => {
  const closed = await freePort();
  assert.match((await ask([`http://127.0.0.1:${closed}/`])).stdout, /the connection was refused/);
  assert.match(
    (await ask(['http://registry.invalid/'])).stdout,
    /registry\.invalid can't be asked: its name is not known/,
  );
  const proxy = { http_proxy: `http://ann:secret@127.0.0.1:${closed}` };
  const { stdout } = await ask(['http://registry.invalid/'], proxy);
  assert.match(
    stdout,
    new RegExp(`asked through the proxy http://127\\.0\\.0\\.1:${closed}, .*refused[\\s\\S]*staging\\.environment`),
  );
  assert.doesNotMatch(stdout, /secret/);
});

test('what is no web address is not asked', async () => {
  assert.equal((await ask(['direct', 'off', ''])).code, 0);
});
