import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { tokenVerifier } from './token-verifier.ts';

test('keys that cannot be had are a fault of the login server, not of the token', async () => {
  const { privateKey } = await generateKeyPair('RS256');
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256' })
    .setAudience('cloud_controller')
    .sign(privateKey);
  for (const [status, body] of [
    [500, '{"error":"server_error"}'],
    [503, 'away'],
    [200, 'no JSON'],
  ] as const) {
    const server = createServer((_, answer) => answer.writeHead(status).end(body));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const verify = tokenVerifier(`http://127.0.0.1:${(server.address() as AddressInfo).port}/token_keys`);
      await assert.rejects(verify(`bearer ${token}`), `${status}`);
      assert.equal(await verify('bearer nonsense'), 'invalid');
    } finally {
      server.close();
    }
  }
});
