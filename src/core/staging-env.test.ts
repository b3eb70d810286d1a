import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caBundlePath, type StagingEnvInput, stagingEnvironment, variables } from './staging-env.ts';

const silent = {
  environment: {},
  caFile: '',
  npmRegistry: '',
  pipIndex: '',
  gemSource: '',
  goProxy: '',
  mavenMirror: '',
  composerRepository: '',
};

const input = (over: Partial<StagingEnvInput> = {}): StagingEnvInput => ({
  appEnvironment: [],
  vcapApplication: { name: 'a' },
  vcapServices: {},
  stack: 'stackato',
  memoryMb: 1024,
  timeoutS: 900,
  settings: silent,
  ...over,
});

test('without settings nothing names a registry or a certificate', () => {
  const env = stagingEnvironment(input());
  for (const name of ['npm_config_registry', 'PIP_INDEX_URL', 'GOPROXY', 'SSL_CERT_FILE'])
    assert.equal(env[name], undefined);
  assert.equal(env.VCAP_APPLICATION, '{"name":"a"}');
  assert.equal(env.MEMORY_LIMIT, '1024m');
});

test("the operator's registries and certificates reach every tool", () => {
  const settings = {
    ...silent,
    npmRegistry: 'https://npm.internal',
    goProxy: 'https://go.internal',
    caFile: '/etc/ca.pem',
  };
  const env = stagingEnvironment(input({ settings }));
  assert.equal(env.npm_config_registry, 'https://npm.internal');
  assert.equal(env.GOPROXY, 'https://go.internal');
  assert.equal(env.NODE_EXTRA_CA_CERTS, caBundlePath);
});

test("the app's variables win over the operator's, the platform's over both", () => {
  const settings = { ...silent, environment: { HTTP_PROXY: 'p', NODE_ENV: 'x' } };
  const env = stagingEnvironment(
    input({ settings, appEnvironment: ['NODE_ENV=test', 'HOME=/x', 'PATH=/evil', 'E=a=b'] }),
  );
  assert.deepEqual([env.HTTP_PROXY, env.NODE_ENV, env.HOME, env.E], ['p', 'test', '/home/vcap', 'a=b']);
  assert.ok(env.PATH?.includes('/usr/bin'));
});

test('a variable without a name or a value sign is left out, an empty one stays', () => {
  assert.deepEqual(variables(['A=', '=x', 'B', 'C=1\n2']), { A: '', C: '1\n2' });
});
