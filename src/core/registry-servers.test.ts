import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RegistryServer, registryServers } from './registry-servers.ts';
import { stagingSettings } from './staging-settings.ts';

const none = stagingSettings({}, () => false);
const servers = (settings: Partial<typeof none>) =>
  registryServers({ ...none, ...settings }).map(({ host, port }: RegistryServer) => `${host}:${port}`);

test('registries and mirrors are found with their ports', () => {
  assert.deepEqual(
    servers({
      npmRegistry: 'http://10.1.2.3:4873/npm/',
      pipIndex: 'https://ann:p%40ss@Nexus.corp/simple',
      gemSource: 'http://gems.corp',
      goProxy: 'https://go.corp|http://other.corp:81,direct',
      mavenMirror: 'https://nexus.corp/maven2',
      composerRepository: 'https://nexus.corp:8443',
    }),
    [...['10.1.2.3:4873', 'nexus.corp:443', 'gems.corp:80', 'go.corp:443', 'other.corp:81'], 'nexus.corp:8443'],
  );
});

test('proxies are found, also without a scheme, and what they are not asked for is none', () => {
  const environment = {
    HTTP_PROXY: 'proxy.corp:3128',
    https_proxy: 'http://me:secret@proxy.corp:3128',
    ALL_PROXY: 'socks5://10.0.0.9',
    NO_PROXY: 'http.corp,10.0.0.8',
    PIP_EXTRA_INDEX_URL: 'https://a.corp/simple https://b.corp/simple',
    GOFLAGS: '-mod=mod',
  };
  assert.deepEqual(servers({ environment }), ['proxy.corp:3128', '10.0.0.9:1080', 'a.corp:443', 'b.corp:443']);
});

test('what is no address of a server is passed over', () => {
  assert.deepEqual(servers({}), []);
  assert.deepEqual(servers({ npmRegistry: 'nonsense', goProxy: 'off', gemSource: 'http://x:99999/' }), []);
  assert.deepEqual(servers({ environment: { HTTP_PROXY: '', JAVA_OPTS: '-Dx=file:///tmp/y' } }), []);
});
