import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorDocument } from '../contract/errors.ts';
import { FakeClock } from '../platform/clock.ts';
import { download } from './transfer.ts';

test('a refusal is told in the words of its error document, others as they are', async () => {
  for (const [body, says] of [
    [
      JSON.stringify(errorDocument('NotAuthorized', 'the blob "x" is not yours')),
      /answered 403: the blob .*x.* is not yours$/,
    ],
    ['<h1>no</h1>', /answered 403: <h1>no<\/h1>$/],
  ] as const) {
    const server = createServer((_, answer) => answer.writeHead(403).end(body));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
      const options = { clock: new FakeClock(), signal: AbortSignal.timeout(10_000), what: 'droplet', maxBytes: 10 };
      await assert.rejects(download(url, join(tmpdir(), 'never-made'), options), says);
    } finally {
      server.close();
    }
  }
});
