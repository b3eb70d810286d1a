import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { listListeners, parseListener } from './listeners.ts';

test('a line of ss is read, whoever holds the socket', () => {
  assert.deepEqual(
    parseListener('tcp LISTEN 0      511    127.0.0.1:43543 0.0.0.0:* users:(("MainThread",pid=24217,fd=24))'),
    { protocol: 'tcp', address: '127.0.0.1', port: 43543, pid: 24217, name: 'MainThread' },
  );
  assert.deepEqual(parseListener('udp UNCONN 0 0 0.0.0.0%eth0:5353 0.0.0.0:*'), {
    ...{ protocol: 'udp', address: '0.0.0.0%eth0', port: 5353, pid: 0, name: '' },
  });
  assert.equal(parseListener(''), undefined);
});

test('a socket of this process is found with its program', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const bound = server.address();
  const port = typeof bound === 'object' ? bound?.port : 0;
  try {
    const found = (await listListeners()).find((one) => one.port === port);
    assert.deepEqual(found, { protocol: 'tcp', address: '127.0.0.1', port, pid: process.pid, program: 'node' });
  } finally {
    server.close();
  }
});
