import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { ConfigService } from './config-service.ts';
import { NodeRegistry } from './node-registry.ts';
import { ConfigStore } from './store/config-store.ts';
import { migrations } from './store/migrations.ts';
import { NodeStore } from './store/node-store.ts';
import { type PrimarySchema, schemaName } from './store/schema.ts';

const open = () => temporaryDatabase<PrimarySchema>({ schema: schemaName, migrations });

test('the first configuration counts; a change is stored, numbered, announced and served', async () => {
  await using database = await open();
  const store = new ConfigStore(database.db);
  await store.initialise({ cluster: { domain: 'a.example' } });
  await store.initialise({ cluster: { domain: 'b.example' } });
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const announced: number[] = [];
  bus.subscribe(subjects.configChanged, [], ({ revision }) => void announced.push(revision));
  using _service = new ConfigService({ bus, store, clock: new FakeClock(), log: silentLog });
  const ask = { timeoutMs: 5000 };
  const [changed] = await bus.request(subjects.configSet, [], { path: 'router.pruneS', value: 60 }, ask);
  assert.deepEqual(changed, { revision: 2 });
  const [refused] = await bus.request(subjects.configSet, [], { path: 'router.pruneS', value: 'soon' }, ask);
  assert.equal(refused?.revision, 2);
  assert.match(refused?.refused ?? '', /pruneS/);
  const [snapshot] = await bus.request(subjects.configGet, [], {}, ask);
  assert.deepEqual(snapshot, { revision: 2, config: { cluster: { domain: 'a.example' }, router: { pruneS: 60 } } });
  await bus.flush();
  assert.deepEqual(announced, [2]);
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
