import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { subjects } from '../contract/subjects.ts';
import { busUserNames, formatBusConfig } from '../core/bus-permissions.ts';
import { exec, start } from '../platform/exec.ts';
import { temporaryDirectory, writeFileAtomic } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { freePort } from '../platform/testing/free-port.ts';
import { connectNats } from './nats.ts';

let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: ReturnType<typeof start>;
let port = 0;

before(async () => {
  folder = await temporaryDirectory('nats-permissions');
  const at = (name: string) => join(folder.path, name);
  port = await freePort();
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-days', '1'];
  await exec([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    at('key.pem'),
    '-out',
    at('cert.pem'),
    ...subject,
  ]);
  const config = formatBusConfig({
    listen: `127.0.0.1:${port}`,
    serverName: 'test',
    tls: { certificate: at('cert.pem'), key: at('key.pem'), ca: at('cert.pem') },
    pidFile: at('nats.pid'),
    users: busUserNames.map((name) => ({ user: name, process: name, password: `secret-${name}` })),
    guests: { monitor: 'secret-guest-monitor', router: 'secret-guest-router' },
  });
  await writeFileAtomic(at('nats.conf'), config, 0o600);
  server = start(['nats-server', '-c', at('nats.conf')]);
  await once(server, 'spawn');
});

after(async () => {
  server.kill('SIGKILL');
  await once(server, 'exit');
  await folder[Symbol.asyncDispose]();
});

async function client(user: string, password = `secret-${user}`) {
  const { readFile } = await import('node:fs/promises');
  const complaints: string[] = [];
  const bus = await connectNats({
    servers: [`tls://127.0.0.1:${port}`],
    user,
    password,
    ca: await readFile(join(folder.path, 'cert.pem'), 'utf8'),
    name: user,
    log: { ...silentLog, warn: (event, fields) => void complaints.push(`${event} ${fields?.error}`) },
  });
  return { bus, complaints, [Symbol.asyncDispose]: () => bus.close() };
}

const start1 = { droplet: 'd', version: 'v', indices: [0], last_updated: 1, running: {}, flapping: false };

test('a DEA can not ask for starts; the health manager can', async () => {
  await using controller = await client('controller');
  await using dea = await client('dea');
  await using health = await client('health_manager');
  const heard: string[] = [];
  const done = Promise.withResolvers<void>();
  controller.bus.subscribe(subjects.healthStart, [], ({ droplet }) => {
    heard.push(droplet);
    done.resolve();
  });
  await controller.bus.flush();
  dea.bus.publish(subjects.healthStart, [], { ...start1, droplet: 'forged' });
  await dea.bus.flush();
  health.bus.publish(subjects.healthStart, [], start1);
  await done.promise;
  assert.deepEqual(heard, ['d']);
  assert.match(dea.complaints.join(), /Permissions Violation/i);
  assert.deepEqual(health.complaints, []);
});

test('a subscription without the right hears nothing', async () => {
  await using stager = await client('stager');
  await using dea = await client('dea');
  await using logyard = await client('logyard');
  const stolen: string[] = [];
  const arrived = Promise.withResolvers<void>();
  stager.bus.subscribe(subjects.appLog, ['*'], ({ app }) => void stolen.push(app));
  logyard.bus.subscribe(subjects.appLog, ['*'], () => arrived.resolve());
  await stager.bus.flush();
  await logyard.bus.flush();
  dea.bus.publish(subjects.appLog, ['a'], { app: 'a', tags: {}, lines: [] });
  await arrived.promise;
  await stager.bus.flush();
  assert.deepEqual(stolen, []);
});

test('an answer goes back to who asked, also more than once', async () => {
  await using controller = await client('controller');
  await using dea = await client('dea');
  dea.bus.subscribe(subjects.deaStatus, [], (_empty, message) => {
    for (const id of ['1', '2', '3']) {
      message.respond({
        id,
        ip: '',
        version: '',
        max_memory: 1,
        reserved_memory: 0,
        used_memory: 0,
        num_clients: null,
      });
    }
  });
  await dea.bus.flush();
  const answers = await controller.bus.request(subjects.deaStatus, [], {}, { timeoutMs: 5000, expected: 3 });
  assert.deepEqual(
    answers.map(({ id }) => id),
    ['1', '2', '3'],
  );
});

/** A program of others: the plain client with its own ways. */
async function guest(name: 'monitor' | 'router') {
  const { connect } = await import('@nats-io/transport-node');
  const { readFile } = await import('node:fs/promises');
  const ca = await readFile(join(folder.path, 'cert.pem'), 'utf8');
  const [user, pass] = [`guest-${name}`, `secret-guest-${name}`];
  return connect({ servers: [`tls://127.0.0.1:${port}`], tls: { ca }, user, pass, maxReconnectAttempts: 0 });
}

test('a monitor asks who is there with an inbox of any name, and hears routes, but no start of an app', async () => {
  await using dea = await client('dea');
  await using controller = await client('controller');
  for (const uuid of ['0-1', '0-2']) {
    const announced = { type: 'DEA', index: 0, host: '127.0.0.1:1', credentials: ['u', 'p'], start: '', uuid };
    dea.bus.subscribe(subjects.componentDiscover, [], (_empty, message) => message.respond(announced as never));
  }
  await dea.bus.flush();
  const monitor = await guest('monitor');
  const heard: string[] = [];
  const routed = Promise.withResolvers<void>();
  monitor.subscribe('>', {
    callback: (_error, message) => {
      heard.push(message.subject);
      if (message.subject === 'router.register') routed.resolve();
    },
  });
  await monitor.flush();
  const answers = await monitor.requestMany('vcap.component.discover', '', {
    strategy: 'count',
    maxMessages: 2,
    maxWait: 5000,
  });
  const uuids: string[] = [];
  for await (const answer of answers) uuids.push(answer.json<{ uuid: string }>().uuid);
  assert.deepEqual(uuids.sort(), ['0-1', '0-2']);
  controller.bus.publish(subjects.deaStart, ['d1'], {} as never);
  await controller.bus.flush();
  dea.bus.publish(subjects.routerRegister, [], { host: '127.0.0.1', port: 1, uris: ['a.example'] } as never);
  await routed.promise;
  await monitor.flush();
  assert.deepEqual(
    heard.filter((one) => /^(dea|router)\./.test(one)),
    ['router.register'],
  );
  await monitor.close();
});

test('a guest router makes itself known and hears routes; it registers none', async () => {
  await using dea = await client('dea');
  await using router = await client('router');
  const started = Promise.withResolvers<string>();
  const registered: string[] = [];
  const last = Promise.withResolvers<void>();
  dea.bus.subscribe(subjects.routerStart, [], ({ id }) => started.resolve(id));
  router.bus.subscribe(subjects.routerRegister, [], ({ uris }) => {
    registered.push(...uris);
    if (uris.includes('end.example')) last.resolve();
  });
  await dea.bus.flush();
  await router.bus.flush();
  const other = await guest('router');
  const routed = Promise.withResolvers<string>();
  // As gorouter subscribes.
  other.subscribe('router.*', {
    callback: (_error, message) => {
      if (message.subject === 'router.register') routed.resolve(message.string());
    },
  });
  await other.flush();
  const start = { id: 'gorouter', hosts: [], minimumRegisterIntervalInSeconds: 20, prunteThresholdInSeconds: 120 };
  other.publish(subjects.routerStart.name(), JSON.stringify(start));
  assert.equal(await started.promise, 'gorouter');
  other.publish(subjects.routerRegister.name(), JSON.stringify({ host: '1.2.3.4', port: 1, uris: ['stolen.example'] }));
  await other.flush();
  dea.bus.publish(subjects.routerRegister, [], { host: '127.0.0.1', port: 1, uris: ['end.example'] } as never);
  await last.promise;
  assert.match(await routed.promise, /end\.example/);
  assert.deepEqual(registered, ['end.example']);
  await other.close();
});

test('nobody comes in without a name or with a wrong password', async () => {
  const { connect } = await import('@nats-io/transport-node');
  const { readFile } = await import('node:fs/promises');
  const ca = await readFile(join(folder.path, 'cert.pem'), 'utf8');
  const servers = [`tls://127.0.0.1:${port}`];
  await assert.rejects(connect({ servers, tls: { ca }, maxReconnectAttempts: 0 }), /authorization/i);
  await assert.rejects(
    connect({ servers, tls: { ca }, user: 'dea', pass: 'no', maxReconnectAttempts: 0 }),
    /authorization/i,
  );
});
