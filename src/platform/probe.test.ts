import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { canConnect, speaksFirst } from './probe.ts';

test('a server that accepts and says nothing is told from one that speaks', async () => {
  for (const [greet, speaks] of [
    [(socket: Socket) => socket.write('INFO {}\r\n'), true],
    [() => {}, false],
    [(socket: Socket) => socket.end(), false],
  ] as const) {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      // The prober hangs up as soon as it knows.
      socket.once('error', () => socket.destroy());
      greet(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    assert.equal(await canConnect(target), true);
    assert.equal(await speaksFirst(target, 200), speaks);
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
    assert.equal(await speaksFirst(target, 200), false);
  }
});
