import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { secretBox } from '../platform/secret-box.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { ConfigService } from './config-service.ts';
import { NodeRegistry } from './node-registry.ts';
import { ConfigStore } from './store/config-store.ts';
import { migrations } from './store/migrations.ts';
import { NodeStore } from './store/node-store.ts';
import { type PrimarySchema, schemaName } from './store/schema.ts';
import { SecretStore } from './store/secret-store.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const open = () => temporaryDatabase<PrimarySchema>({ schema: schemaName, migrations });

test('the first configuration counts; a change is stored, numbered, announced and served', async () => {
  await using database = await open();
  const store = new ConfigStore(database.db);
  await store.initialise({ cluster: { domain: 'a.example' } });
  await store.initialise({ cluster: { domain: 'b.example' } });
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const announced: number[] = [];
  bus.subscribe(subjects.configChanged, [], ({ revision }) => void announced.push(revision));
  const secrets = new SecretStore(database.db, secretBox(KEY));
  using _service = new ConfigService({ bus, store, secrets, clock: new FakeClock(), log: silentLog });
  const ask = { timeoutMs: 5000 };
  const [changed] = await bus.request(subjects.configSet, [], { path: 'router.pruneS', value: 60 }, ask);
  assert.deepEqual(changed, { revision: 2 });
  const [refused] = await bus.request(subjects.configSet, [], { path: 'router.pruneS', value: 'soon' }, ask);
  assert.equal(refused?.revision, 2);
  assert.match(refused?.refused ?? '', /pruneS/);
  const [snapshot] = await bus.request(subjects.configGet, [], {}, ask);
  const config = { cluster: { domain: 'a.example' }, router: { pruneS: 60 } };
  assert.deepEqual(snapshot, { revision: 2, config, secrets: [] });
  await bus.flush();
  assert.deepEqual(announced, [2]);
});

test('a secret setting is kept encrypted, told to who uses it, and named only to everyone else', async () => {
  await using database = await open();
  const store = new ConfigStore(database.db);
  await store.initialise({});
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const secrets = new SecretStore(database.db, secretBox(KEY));
  using _service = new ConfigService({ bus, store, secrets, clock: new FakeClock(), log: silentLog });
  const path = 'blobs.s3.secretAccessKey';
  const ask = { timeoutMs: 5000 };
  const set = async (value?: unknown) =>
    (await bus.request(subjects.configSet, [], { path, ...(value === undefined ? {} : { value }) }, ask))[0];
  assert.deepEqual(await set('s3cr3t value'), { revision: 1 });
  assert.match((await set(17))?.refused ?? '', /takes one line/);
  assert.deepEqual((await bus.request(subjects.secretGet, [], { name: path }, ask))[0], { value: 's3cr3t value' });
  assert.deepEqual((await bus.request(subjects.configGet, [], {}, ask))[0], {
    revision: 1,
    config: {},
    secrets: [path],
  });
  const rows = JSON.stringify(await database.db.selectFrom('secrets').selectAll().execute());
  assert.doesNotMatch(rows, /s3cr3t/);
  await set();
  assert.deepEqual((await bus.request(subjects.secretGet, [], { name: path }, ask))[0], {});
});

test('values are added to lists and taken out, each once, and settings that can not be together are refused', async () => {
  await using database = await open();
  const store = new ConfigStore(database.db);
  await store.initialise({});
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const secrets = new SecretStore(database.db, secretBox(KEY));
  using service = new ConfigService({ bus, store, secrets, clock: new FakeClock(), log: silentLog });
  const path = 'router.trustedProxies';
  const push = (value: string) => service.set({ path, action: 'push', value });
  await Promise.all([push('10.0.0.0/8'), push('192.168.0.1')]);
  const stored = (await store.read()).config as { router: { trustedProxies: string[] } };
  assert.deepEqual([...stored.router.trustedProxies].sort(), ['10.0.0.0/8', '192.168.0.1']);
  assert.match((await push('10.0.0.0/8')).refused ?? '', /already/);
  assert.match((await push('everybody')).refused ?? '', /takes an address or a network/);
  await service.set({ path, action: 'pop', value: '10.0.0.0/8' });
  assert.deepEqual((await store.read()).config, { router: { trustedProxies: ['192.168.0.1'] } });
  const clash = await service.set({ path: 'aok.port', value: 8022 });
  assert.match(clash.refused ?? '', /aok\.port and controller\.port can't both be 8022/);
});

test('two changes at one time are both kept', async () => {
  await using database = await open();
  const store = new ConfigStore(database.db);
  await store.initialise({});
  const put = (key: string) => store.update((config) => ({ ...(config as object), [key]: 1 }), new Date(0));
  await Promise.all(['a', 'b', 'c', 'd'].map(put));
  assert.deepEqual(await store.read(), { revision: 5, config: { a: 1, b: 1, c: 1, d: 1 } });
});

test('a node is remembered, and written again only when something changed or a minute passed', async () => {
  await using database = await open();
  const clock = new FakeClock();
  const store = new NodeStore(database.db);
  const registry = new NodeRegistry({ store, clock, log: silentLog });
  const status = { node: 'n1', address: '10.0.0.1', version: '1', roles: ['base'], processes: [] };
  await registry.saw(status);
  await registry.saw({ ...status, roles: ['base', 'dea'] });
  assert.deepEqual(await store.list(), [{ id: 'n1', address: '10.0.0.1', version: '1', roles: ['base', 'dea'] }]);
});
