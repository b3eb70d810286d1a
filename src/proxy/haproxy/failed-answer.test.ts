import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { describe, test } from 'node:test';
import { endpointAt, poolOf, type RigBackend } from '../proxy.conformance.ts';
import { AdminSocket } from './admin-socket.ts';
import { filesOf } from './config-file.ts';
import { FAILED } from './failed-answer.ts';
import { type HaproxyRig, nextRecords, openHaproxyRig, until } from './rig.conformance.ts';

type Answer = { readonly status: number; readonly error: string | undefined; readonly body: string };
type Client = { ask(method: string, path: string, body?: string): Promise<Answer>; close(): void };

const well: Answer = { status: 200, error: undefined, body: 'well' };
const failed: Answer = { status: 502, error: 'endpoint_failure', body: FAILED };

/** Endpoints that close the connection of a request for `/crash`, and never answer one for `/silence`. */
async function fragile(count: number, change: { requestTimeoutS?: number } = {}): Promise<HaproxyRig> {
  const rig = await openHaproxyRig(change);
  const endpoints = [];
  for (let i = 0; i < count; i++) {
    const at = await rig.serve((asked, answer) => {
      if (asked.url === '/crash') asked.on('data', () => {}).on('end', () => asked.socket.destroy());
      else if (asked.url !== '/silence') answer.end('well');
    });
    endpoints.push(endpointAt(`i${i}`, at));
  }
  await rig.proxy.start([poolOf('a.test', ...endpoints)]);
  return rig;
}

/** Sends everything over one connection as long as that stays open. */
function http1(rig: HaproxyRig): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: async (method, path, body = '') => {
      const headers = { host: 'a.test', 'content-length': Buffer.byteLength(body) };
      const sent = request({ host: '127.0.0.1', port: rig.options.httpPort, method, path, headers, agent }).end(body);
      const [answer] = await once(sent, 'response');
      let text = '';
      for await (const chunk of answer) text += chunk;
      return { status: answer.statusCode, error: answer.headers['x-cf-routererror'], body: text };
    },
    close: () => agent.destroy(),
  };
}

function http2(rig: HaproxyRig): Client {
  const session = connectHttp2(`http://127.0.0.1:${rig.options.httpPort}`);
  return {
    ask: async (method, path, body = '') => {
      const head = { ':method': method, ':path': path, ':authority': 'a.test' };
      const stream = session.request(head, { endStream: body === '' });
      if (body !== '') stream.end(body);
      const [headers] = await once(stream, 'response');
      let text = '';
      for await (const chunk of stream) text += chunk;
      return { status: headers[':status'], error: headers['x-cf-routererror'], body: text };
    },
    close: () => session.close(),
  };
}

describe('HAProxy, endpoints that close without an answer', () => {
  for (const [protocol, open] of [
    ['HTTP/1.1', http1],
    ['HTTP/2', http2],
  ] as const) {
    for (const count of [1, 3]) {
      test(`each gives a 502, on ${protocol} with ${count} of them, also on a connection in use`, async () => {
        await using rig = await fragile(count);
        const client = open(rig);
        const records = nextRecords(rig, 22);
        try {
          for (let i = 0; i < 4; i++) {
            for (let k = 0; k < 3; k++) assert.deepEqual(await client.ask('GET', '/'), well);
            assert.deepEqual(await client.ask(i % 2 ? 'POST' : 'GET', '/crash', i % 2 ? 'x'.repeat(100) : ''), failed);
          }
          const large = 'x'.repeat(100_000);
          for (let i = 0; i < 3; i++) assert.deepEqual(await client.ask('PUT', '/', large), well);
          for (let i = 0; i < 3; i++) assert.deepEqual(await client.ask('PUT', '/crash', large), failed);
        } finally {
          client.close();
        }
        const logged = (await records).filter(({ uri }) => uri === '/crash');
        assert.deepEqual(
          logged.map(({ status, routerError, app }) => [status, routerError, app]),
          logged.map(() => [502, 'endpoint_failure', 'app-1']),
        );
        assert.equal(logged.length, 7);
      });
    }
  }

  test('one that closes after it was asked whether to go on gives a 502, also on a connection in use', async () => {
    await using rig = await fragile(1);
    for (const length of ['content-length: 4', 'transfer-encoding: chunked']) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const to = { host: '127.0.0.1', port: rig.options.httpPort, method: 'POST', agent };
      const [name = '', value = ''] = length.split(': ');
      try {
        for (const [path, status] of [
          ['/', 200],
          ['/crash', 502],
        ] as const) {
          const headers = { host: 'a.test', expect: '100-continue', [name]: value };
          const sent = request({ ...to, path, headers });
          const answered = once(sent, 'response');
          sent.on('continue', () => sent.end('body')).flushHeaders();
          const [answer] = await answered;
          assert.equal(answer.statusCode, status);
          await answer.resume().toArray();
        }
      } finally {
        agent.destroy();
      }
    }
  });

  for (const count of [1, 2, 3]) {
    test(`a request that ends ${count === 1 ? 'the only one' : `each of ${count}`} gives a 502`, async () => {
      for (const open of [http1, http2]) {
        await using rig = await openHaproxyRig();
        const endpoints: RigBackend[] = [];
        for (let i = 0; i < count; i++) {
          const endpoint = await rig.serve((asked, answer) => {
            if (asked.url === '/crash') void endpoint.stop();
            else answer.end('well');
          });
          endpoints.push(endpoint);
        }
        await rig.proxy.start([poolOf('a.test', ...endpoints.map((at, i) => endpointAt(`i${i}`, at)))]);
        const client = open(rig);
        try {
          for (let i = 0; i < 4 * count; i++) assert.deepEqual(await client.ask('GET', '/'), well);
          assert.deepEqual(await client.ask('GET', '/crash'), failed);
        } finally {
          client.close();
        }
      }
    });
  }

  test('connections that nobody uses are closed before an endpoint does so', async () => {
    await using rig = await openHaproxyRig();
    const server = createServer({ keepAliveTimeout: 5000 }, (_, answer) => answer.end('well')).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const port = (server.address() as AddressInfo).port;
      await rig.proxy.start([poolOf('a.test', endpointAt('i1', { host: '127.0.0.1', port }))]);
      const connected = once(server, 'connection');
      await rig.request({ host: 'a.test' });
      const [connection] = await connected;
      const closer = Promise.withResolvers<string>();
      connection.on('timeout', () => closer.resolve('the endpoint'));
      for (const event of ['end', 'error']) connection.on(event, () => closer.resolve('the router'));
      assert.equal(await closer.promise, 'the router');
    } finally {
      server.close();
    }
  });

  test('one that is silent for too long gives a 504, also on a connection in use', async () => {
    await using rig = await fragile(1, { requestTimeoutS: 1 });
    const client = http1(rig);
    try {
      for (const method of ['GET', 'POST']) {
        assert.deepEqual(await client.ask('GET', '/'), well);
        assert.equal((await client.ask(method, '/silence')).status, 504);
      }
    } finally {
      client.close();
    }
  });

  test('a client that leaves while one is silent leaves nothing behind', async () => {
    await using rig = await fragile(1, { requestTimeoutS: 1 });
    const admin = new AdminSocket(filesOf(rig.options.directory).socket);
    const ours = async () => (await admin.query('show sess')).split('\n').filter((line) => line.includes('fe=edge'));
    const client = connect(rig.options.httpPort, '127.0.0.1');
    client.write('POST /silence HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n');
    await until('the request to arrive', async () => (await ours()).length === 1 || undefined);
    client.destroy();
    await until('it to be gone', async () => (await ours()).length === 0 || undefined);
  });
});
