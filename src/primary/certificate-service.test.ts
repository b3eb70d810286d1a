import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { subjects } from '../contract/subjects.ts';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { secretBox } from '../platform/secret-box.ts';
import { temporaryDatabase } from '../platform/testing/postgres.ts';
import { CertificateService } from './certificate-service.ts';
import { migrations } from './store/migrations.ts';
import { type PrimarySchema, schemaName } from './store/schema.ts';
import { SecretStore } from './store/secret-store.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----';
const PEM = `${CERTIFICATE}\n-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----\n`;
const roles: Record<string, string[]> = { front: ['load_balancer'], edge: ['base', 'router'], worker: ['base', 'dea'] };

test('certificates are kept encrypted and announced, and their keys go to routers and load balancers alone', async () => {
  await using database = await temporaryDatabase<PrimarySchema>({ schema: schemaName, migrations });
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const secrets = new SecretStore(database.db, secretBox(KEY));
  const rolesOf = async (nodeId: string) => roles[nodeId] ?? [];
  const options = { bus, secrets, rolesOf, clock: new FakeClock(), log: silentLog };
  const announced: number[] = [];
  bus.subscribe(subjects.certificatesChanged, [], ({ revision }) => void announced.push(revision));
  const ask = { timeoutMs: 5000 };
  const set = async (domain: string, pem?: string) =>
    (await bus.request(subjects.certificateSet, [], { domain, ...(pem === undefined ? {} : { pem }) }, ask))[0];
  const given = async (node: string) => (await bus.request(subjects.certificatesOf, [node], {}, ask))[0];

  using service = new CertificateService(options);
  assert.deepEqual(await set('a.example.com', PEM), { was: false });
  assert.deepEqual(await set('a.example.com', PEM), { was: true }, 'once more changes nothing');
  assert.deepEqual(await set('b.example.com', PEM), { was: false });
  assert.deepEqual(await set('b.example.com'), { was: true });
  assert.deepEqual(await set('b.example.com'), { was: false });
  assert.match((await set('c.example.com', 'x'.repeat(750_001)))?.refused ?? '', /at most 750000/);

  const all = { revision: 3, certificates: [{ domain: 'a.example.com', pem: PEM }] };
  assert.deepEqual([await given('edge'), await given('front')], [all, all]);
  for (const node of ['worker', 'unknown']) assert.deepEqual(await given(node), { revision: 3, certificates: [] });
  const [list] = await bus.request(subjects.certificateList, [], {}, ask);
  assert.deepEqual(list, { certificates: [{ domain: 'a.example.com', certificate: CERTIFICATE }] });
  assert.doesNotMatch(JSON.stringify(await database.db.selectFrom('secrets').selectAll().execute()), /s3cr3t/);
  await service.announce();
  await bus.flush();
  assert.deepEqual(announced, [1, 2, 3, 3]);
});
