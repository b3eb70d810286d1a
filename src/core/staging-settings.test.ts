import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeStagingSettings, stagingSettings } from './staging-settings.ts';

test('a bare environment gives the system’s certificates and nothing else', () => {
  const settings = stagingSettings({ PATH: '/bin', HOME: '/root' }, () => true);
  assert.equal(settings.caFile, '/etc/ssl/certs/ca-certificates.crt');
  assert.deepEqual(settings.environment, {});
  assert.deepEqual(
    { npm: settings.npmRegistry, pip: settings.pipIndex, go: settings.goProxy },
    { npm: '', pip: '', go: '' },
  );
});

test('proxies are passed on in both spellings, whichever was given', () => {
  const settings = stagingSettings({ https_proxy: 'http://p:3128', NO_PROXY: 'localhost' }, () => false);
  assert.deepEqual(settings.environment, {
    HTTPS_PROXY: 'http://p:3128',
    https_proxy: 'http://p:3128',
    NO_PROXY: 'localhost',
    no_proxy: 'localhost',
  });
  assert.equal(settings.caFile, '');
});

test('registries and the first certificate bundle that exists are taken over', () => {
  const settings = stagingSettings(
    {
      npm_config_registry: 'http://r/npm',
      PIP_INDEX_URL: 'http://r/pip',
      GOPROXY: 'http://r/go',
      SSL_CERT_FILE: '/gone',
      CURL_CA_BUNDLE: '/here',
    },
    (path) => path === '/here',
  );
  assert.equal(settings.caFile, '/here');
  assert.deepEqual(
    [settings.npmRegistry, settings.pipIndex, settings.goProxy],
    ['http://r/npm', 'http://r/pip', 'http://r/go'],
  );
});

test('what is printed hides passwords', () => {
  const lines = describeStagingSettings(stagingSettings({ HTTP_PROXY: 'http://me:secret@p:3128' }, () => false));
  assert.ok(lines.length === 2 && lines.every((line) => line.endsWith('http://[hidden]@p:3128')));
});
