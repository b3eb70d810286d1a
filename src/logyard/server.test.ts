import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { FakeClock, settle } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import type { TokenVerifier } from '../platform/token-verifier.ts';
import { Access } from './access.ts';
import { LogStore } from './log-store.ts';
import { logServer } from './server.ts';
import { SharedLog } from './shared-log.ts';

type Answer = {
  readonly envelopes: { readonly batch: readonly { readonly timestamp: string }[] };
  readonly errors: readonly { readonly title: string }[];
};

const BASE = 1_600_000_000_000_000_000n;

/** Tokens are `admin` or a user's name; users may read the apps called like them. */
async function openServer() {
  const directory = await temporaryDirectory('stackato-logyard');
  const clock = new FakeClock();
  const { logyard: config } = decode(ClusterConfig, {}, 'config');
  const store = new LogStore({ directory: directory.path, config, clock, log: silentLog });
  const asked: (string | undefined)[] = [];
  const revoked = new Set<string>();
  const faults: Error[] = [];
  const verify: TokenVerifier = async (authorization) => {
    if (authorization === undefined) return 'missing';
    const name = authorization.replace(/^bearer /i, '');
    if (name === 'forged') return 'invalid';
    return {
      ...{ userGuid: name, userName: name, email: undefined, origin: 'uaa', clientId: 'cf' },
      scopes: name === 'admin' ? ['cloud_controller.admin'] : ['cloud_controller.read'],
      expiresAtS: clock.nowMs() / 1000 + 1200,
    };
  };
  const ask = async (app: string | undefined, authorization: string) => {
    asked.push(app);
    if (faults[0]) throw faults[0];
    if (revoked.has(authorization)) return false;
    if (app === undefined) return true;
    return `bearer ${app}` === authorization;
  };
  const access = new Access({ verify, ask, clock });
  const shared = new SharedLog({ store, bus: new MemoryBus(), clock, log: silentLog, id: 'one' }, 0);
  const server = logServer({ store, shared, access, clock, log: silentLog });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const port = (server.server.address() as AddressInfo).port;
  const call = async (path: string, token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  const open = (path: string, token: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `bearer ${token}` };
      get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).once('error', reject);
    });
  const say = (app: string, count: number, from = 0, text = 'line') =>
    store.append({
      app,
      tags: { app_name: 'shop' },
      lines: Array.from({ length: count }, (_, i) => ({
        at: String(BASE + BigInt(from + i)),
        source: 'APP/PROC/WEB',
        instance: '2',
        type: i % 2 === 0 ? ('OUT' as const) : ('ERR' as const),
        text: `${text} ${from + i}`,
      })),
    });
  return {
    ...{ clock, store, call, open, say, asked, revoked, faults },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Lines of a stream as they come; ends when there are enough or the stream does. */
async function readLines(response: IncomingMessage, count = Number.POSITIVE_INFINITY) {
  const lines: { text: string; source: string }[] = [];
  let rest = '';
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.filter((part) => part !== '').map((part) => JSON.parse(part)));
    if (lines.length >= count) break;
  }
  return lines;
}

test('info needs no token; versions and times are text', async () => {
  await using world = await openServer();
  await world.clock.advance(5000);
  const { status, body } = await world.call('/api/v1/info');
  assert.deepEqual([status, body], [200, { version: '2.12.1', vm_uptime: '5' }]);
});

test('an envelope has exactly the keys of its protocol', async () => {
  await using world = await openServer();
  world.say('app-1', 1);
  const { body } = await world.call('/api/v1/read/app-1?envelope_types=LOG', 'app-1');
  assert.deepEqual(body, {
    envelopes: {
      batch: [
        {
          timestamp: String(BASE),
          source_id: 'app-1',
          instance_id: '2',
          deprecated_tags: {},
          tags: { app_name: 'shop', app_id: 'app-1', origin: 'rep', source_type: 'APP/PROC/WEB', instance_id: '2' },
          log: { payload: Buffer.from('line 0').toString('base64'), type: 'OUT' },
        },
      ],
    },
  });
});

test('windows, limits and order are those of Log Cache', async () => {
  await using world = await openServer();
  world.say('app-1', 300);
  const read = async (query: string) => {
    const { body } = await world.call(`/api/v1/read/app-1?${query}`, 'app-1');
    return body.envelopes.batch.map(({ timestamp }) => Number(BigInt(timestamp) - BASE));
  };
  assert.deepEqual((await read('')).slice(0, 3), [0, 1, 2]);
  assert.equal((await read('')).length, 100);
  assert.deepEqual(await read('descending=true&limit=2&envelope_types=LOG'), [299, 298]);
  assert.deepEqual(await read(`start_time=${BASE + 10n}&limit=2`), [10, 11]);
  assert.deepEqual(await read(`start_time=${BASE + 10n}&end_time=${BASE + 12n}`), [10, 11]);
  assert.equal((await read('start_time=-6795364578871345152&limit=1000&descending=true')).length, 300);
  assert.deepEqual(await read('envelope_types=GAUGE'), []);
  assert.equal((await read('envelope_type=ANY')).length, 100);
  assert.equal((await world.call('/api/v1/read/app-1?limit=1001', 'app-1')).status, 400);
  assert.equal((await world.call('/api/v1/read/app-1?start_time=soon', 'app-1')).status, 400);
});

test('without a good token: 401; what one may not see is not there', async () => {
  await using world = await openServer();
  world.say('app-1', 1);
  for (const path of ['/api/v1/read/app-1', '/api/v1/meta', '/stackato/v1/stream/app-1']) {
    assert.equal((await world.call(path)).status, 401, path);
    assert.equal((await world.call(path, 'forged')).status, 401, path);
  }
  for (const path of ['/api/v1/read/app-1', '/stackato/v1/stream/app-1']) {
    const { status, body } = await world.call(path, 'stranger');
    assert.deepEqual([status, body.errors[0]?.title], [404, 'CF-ResourceNotFound'], path);
  }
});

test('an administrator may read all, and the controller is asked once in five seconds', async () => {
  await using world = await openServer();
  world.say('app-1', 1);
  assert.equal((await world.call('/api/v1/read/app-1', 'admin')).status, 200);
  assert.equal((await world.call('/api/v1/read/app-2', 'admin')).status, 200);
  assert.deepEqual(world.asked.splice(0), [undefined], 'only if the token is still good');
  for (let i = 0; i < 3; i++) await world.call('/api/v1/read/app-1', 'app-1');
  assert.deepEqual(world.asked, ['app-1']);
  await world.clock.advance(5000);
  await world.call('/api/v1/read/app-1', 'app-1');
  assert.deepEqual(world.asked, ['app-1', 'app-1']);
});

test('a revoked token reads nothing after five seconds, not even an administrator; without the controller answers hold for half a minute', async () => {
  await using world = await openServer();
  world.say('app-1', 1);
  const statuses = async () => {
    const answers = [await world.call('/api/v1/read/app-1', 'admin'), await world.call('/api/v1/read/app-1', 'app-1')];
    return answers.map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [200, 200]);
  world.faults.push(new Error('connect ECONNREFUSED'));
  await world.clock.advance(29_000);
  assert.deepEqual(await statuses(), [200, 200]);
  await world.clock.advance(1000);
  assert.deepEqual(await statuses(), [500, 500]);
  world.faults.pop();
  assert.deepEqual(await statuses(), [200, 200]);
  world.revoked.add('bearer admin').add('bearer app-1');
  await world.clock.advance(5000);
  assert.deepEqual(await statuses(), [404, 404]);
});

test('meta lists what the reader may see', async () => {
  await using world = await openServer();
  world.say('app-1', 3);
  world.say('app-2', 1);
  const { body } = await world.call('/api/v1/meta', 'app-1');
  assert.deepEqual(body, {
    meta: {
      'app-1': { count: '3', expired: '0', oldestTimestamp: String(BASE), newestTimestamp: String(BASE + 2n) },
    },
  });
});

test('a stream begins with recent lines and goes on with those to come', async () => {
  await using world = await openServer();
  world.say('app-1', 10);
  const response = await world.open('/stackato/v1/stream/app-1?recent=2', 'app-1');
  assert.equal(response.headers['content-type'], 'application/x-ndjson');
  world.say('app-1', 2, 10);
  world.say('app-2', 1);
  const lines = await readLines(response, 4);
  assert.deepEqual(
    lines.map(({ text }) => text),
    ['line 8', 'line 9', 'line 10', 'line 11'],
  );
  assert.deepEqual(Object.keys(lines[0] ?? {}), ['timestamp', 'source', 'instance', 'type', 'text']);
});

test('a stream ends with a notice when its token does', async () => {
  await using world = await openServer();
  const response = await world.open('/stackato/v1/stream/app-1', 'app-1');
  await world.clock.advance(1_220_000);
  assert.deepEqual(
    (await readLines(response)).map(({ source, text }) => [source, text]),
    [['LGR', 'the session has ended; connect again']],
  );
});

test('a reader that is too slow is dropped with a notice, and others go on', async () => {
  await using world = await openServer();
  const slow = await world.open('/stackato/v1/stream/app-1', 'app-1');
  slow.pause();
  const quick = await world.open('/stackato/v1/stream/app-1', 'app-1');
  const heard = readLines(quick, 2000);
  for (let i = 0; i < 1000 && world.store.memory.followers > 1; i++) {
    world.say('app-1', 2, i * 2, 'x'.repeat(60_000));
    await settle();
  }
  assert.equal(world.store.memory.followers, 1, 'the slow reader was dropped');
  const said = await readLines(slow);
  assert.match(said.at(-1)?.text ?? '', /too slow/);
  world.say('app-1', 2000, 100_000, 'after');
  assert.ok((await heard).length >= 2000);
});
