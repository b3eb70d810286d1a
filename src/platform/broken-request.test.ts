import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { refuseBrokenRequest } from './broken-request.ts';

async function answerTo(said: string): Promise<string> {
  const server = createServer((_request, response) => response.end('fine'));
  server.on(
    'clientError',
    refuseBrokenRequest((detail) => ({ detail })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(said);
    return await text(socket);
  } finally {
    server.close();
  }
}

test('an unknown method is answered in JSON, and the connection ends', async () => {
  const answer = await answerTo('BREW / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\r\nconnection: close\r\n/);
  assert.match(answer, /\r\n\r\n\{"detail":"the request is not valid HTTP/);
});

test('headers too large have a status of their own', async () => {
  assert.match(await answerTo(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
});
