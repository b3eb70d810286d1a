import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { NodeFile } from '../contract/node.ts';
import { subjects } from '../contract/subjects.ts';
import { systemClock } from '../platform/clock.ts';
import type { Boot } from '../platform/config.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { silentLog } from '../platform/log.ts';
import { pathsOf } from '../platform/paths.ts';
import { systemRandom } from '../platform/random.ts';
import { signPath } from '../platform/secret-box.ts';
import { freePort } from '../platform/testing/free-port.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { aok } from './aok.ts';
import { controller } from './controller.ts';

const KEY = Buffer.alloc(32, 3).toString('base64');
const ADMIN = { email: 'admin@example.com', password: 'a good password' };

/** Login server and controller as their processes compose them, on one database and an in-process bus. */
async function startBoth() {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await temporaryDatabase({ schema: 'public' }));
  const folder = stack.use(await temporaryDirectory('controller-role'));
  const ports = { aok: await freePort(), controller: await freePort() };
  const stop = new AbortController();
  const boot: Boot = {
    process: 'controller',
    node: decode(NodeFile, { id: 'n', index: 0, address: '127.0.0.1', coreAddress: '127.0.0.1', roles: [] }, 'node'),
    config: decode(ClusterConfig, { aok: { port: ports.aok }, controller: { port: ports.controller } }, 'config'),
    credentials: {
      bus: { servers: [], user: '', password: '', caFile: '' },
      databaseUrl: database.url,
      encryptionKey: KEY,
      signingKey: KEY,
      clientSecrets: { cloud_controller: 'cc secret', 'ssh-proxy': 'ssh secret' },
    },
    paths: pathsOf(folder.path),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    stop: stop.signal,
  };
  const broker = new MemoryBroker();
  const routed: string[] = [];
  new MemoryBus(broker).subscribe(subjects.routerRegister, [], ({ uris }) => void routed.push(...uris));
  for (const role of [aok, controller]) {
    for (const part of await role(boot, new MemoryBus(broker))) stack.use(await part.start());
  }
  return { stack, ports, routed };
}

type Api = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Record<string, unknown> }>;

async function logIn(port: number, user: { email: string; password: string }): Promise<string> {
  const form = { grant_type: 'password', username: user.email, password: user.password };
  const answer = await fetch(`http://127.0.0.1:${port}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
    body: new URLSearchParams(form),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  assert.equal(answer.status, 200);
  return token;
}

function as(port: number, token: string): Api {
  return async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
}

test('a user made at the login server is found by name, given a role and then sees the organization', async () => {
  const { stack, ports, routed } = await startBoth();
  await using _ = stack;
  const expiresAtS = Math.floor(Date.now() / 1000) + 60;
  const first = signPath(KEY, { method: 'POST', path: '/internal/v1/first_admin', expiresAtS });
  const made = await fetch(`http://127.0.0.1:${ports.aok}${first}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  assert.ok(made.ok, await made.text());
  const adminToken = await logIn(ports.aok, ADMIN);
  const admin = as(ports.controller, adminToken);
  const ann = { email: 'ann@example.com', password: 'another good password' };
  const user = await as(ports.aok, adminToken)('POST', '/Users', { userName: ann.email, password: ann.password });
  assert.equal(user.status, 201);

  const organization = await admin('POST', '/v3/organizations', { name: 'acme' });
  assert.equal(organization.status, 201);
  const found = await admin('GET', `/v3/users?usernames=${encodeURIComponent(ann.email)}`);
  assert.deepEqual((found.body.resources as { guid: string }[])[0]?.guid, user.body.id);
  const role = await admin('POST', '/v3/roles', {
    type: 'organization_manager',
    relationships: {
      user: { data: { username: ann.email } },
      organization: { data: { guid: organization.body.guid } },
    },
  });
  assert.equal(role.status, 201, JSON.stringify(role.body));
  const asAnn = as(ports.controller, await logIn(ports.aok, ann));
  const seen = await asAnn('GET', '/v3/organizations');
  assert.equal((seen.body.resources as unknown[]).length, 1);
  assert.equal((await asAnn('PATCH', '/v3/feature_flags/diego_docker', { enabled: true })).status, 403);
  assert.equal((await as(ports.controller, `${adminToken}x`)('GET', '/v3/apps')).status, 401);
  for (const host of ['api', 'console']) assert.ok(routed.includes(`${host}.stackato.localhost`), host);
});
