import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InstanceFacts, instanceEnv } from './instance-env.ts';

const facts: InstanceFacts = {
  instance: 'a'.repeat(32),
  index: 3,
  env: [],
  vcapApplication: { application_name: 'shop', users: null, limits: { mem: 64, disk: 256, fds: 16384 } },
  vcapServices: {},
  memoryMb: 64,
  port: 8080,
  hostAddress: '10.0.0.7',
  hostPort: 40_001,
  containerAddress: '10.250.0.9',
  startedAtMs: 1_700_000_000_999,
};

test('everything an app may read about itself', () => {
  const { VCAP_APPLICATION = '', ...env } = instanceEnv(facts);
  assert.deepEqual(JSON.parse(VCAP_APPLICATION), {
    application_name: 'shop',
    limits: { mem: 64, disk: 256, fds: 16384 },
    instance_id: 'a'.repeat(32),
    instance_index: 3,
    host: '0.0.0.0',
    port: 8080,
    started_at: '2023-11-14 22:13:20 +0000',
    started_at_timestamp: 1_700_000_000,
    start: '2023-11-14 22:13:20 +0000',
    state_timestamp: 1_700_000_000,
  });
  assert.deepEqual(env, {
    LANG: 'en_US.UTF-8',
    MEMORY_LIMIT: '64m',
    VCAP_SERVICES: '{}',
    HOME: '/home/vcap/app',
    USER: 'vcap',
    TMPDIR: '/home/vcap/tmp',
    DEPS_DIR: '/home/vcap/deps',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    PORT: '8080',
    VCAP_APP_PORT: '8080',
    VCAP_APP_HOST: '0.0.0.0',
    INSTANCE_INDEX: '3',
    CF_INSTANCE_INDEX: '3',
    INSTANCE_GUID: 'a'.repeat(32),
    CF_INSTANCE_GUID: 'a'.repeat(32),
    CF_INSTANCE_IP: '10.0.0.7',
    CF_INSTANCE_INTERNAL_IP: '10.250.0.9',
    CF_INSTANCE_PORT: '40001',
    CF_INSTANCE_ADDR: '10.0.0.7:40001',
    CF_INSTANCE_PORTS: '[{"external":40001,"internal":8080}]',
  });
});

test('VCAP_APPLICATION is compact JSON', () => {
  assert.equal(/[:,] /.test((instanceEnv(facts).VCAP_APPLICATION ?? '').replace(/\d{4}-\d\d-\d\d [^"]*/g, '')), false);
});

const sql = { 'p-db': [{ label: 'p-db', name: 'db', credentials: { uri: 'mysql://u:p@h/d' } }] };
const precedence: readonly [string, Partial<InstanceFacts>, string, string][] = [
  ["the app's own variables are there", { env: ['A=1'] }, 'A', '1'],
  ['the later pair wins: group, then app', { env: ['A=group', 'A=app'] }, 'A', 'app'],
  ['only the first = splits', { env: ['A=b=c'] }, 'A', 'b=c'],
  ['a language may be chosen', { env: ['LANG=de_DE.UTF-8'] }, 'LANG', 'de_DE.UTF-8'],
  ['the platform wins over the app', { env: ['MEMORY_LIMIT=9g'] }, 'MEMORY_LIMIT', '64m'],
  ['services win over the app', { env: ['VCAP_SERVICES={"x":1}'] }, 'VCAP_SERVICES', '{}'],
  ["without a bound database the app's own URL stays", { env: ['DATABASE_URL=x://y'] }, 'DATABASE_URL', 'x://y'],
  ['a bound database wins', { env: ['DATABASE_URL=x://y'], vcapServices: sql }, 'DATABASE_URL', 'mysql2://u:p@h/d'],
  ['the launcher wins over all', { env: ['PORT=1', 'HOME=/root'] }, 'PORT', '8080'],
];

for (const [name, change, key, value] of precedence) {
  test(`environment: ${name}`, () => assert.equal(instanceEnv({ ...facts, ...change })[key], value));
}
