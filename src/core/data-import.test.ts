import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importedSettings, isLaterVersion, lossesOf } from './data-import.ts';

test('imported settings are theirs, but for what belongs to the machines', () => {
  const theirs = {
    cluster: { domain: 'old.example', name: 'acme' },
    router: { httpPort: 8080, pruneS: 60 },
    blobs: { kind: 's3' },
    staging: { caFile: '/old/ca.pem', npmRegistry: 'https://npm.example' },
    dea: { hostPortFirst: 50_000 },
  };
  const ours = {
    cluster: { domain: 'new.example' },
    router: { httpsPort: 8443, pruneS: 5 },
    blobs: { folder: '/srv/blobs' },
    staging: { caFile: '/new/ca.pem', pipIndex: 'https://pip.example' },
  };
  assert.deepEqual(importedSettings(theirs, ours), {
    cluster: { name: 'acme', domain: 'new.example' },
    router: { pruneS: 60, httpsPort: 8443 },
    blobs: { folder: '/srv/blobs' },
    staging: { npmRegistry: 'https://npm.example', caFile: '/new/ca.pem' },
    dea: { hostPortFirst: 50_000 },
  });
  assert.deepEqual(importedSettings({}, undefined), {});
});

test('versions are compared by their numbers', () => {
  assert.equal(isLaterVersion('0.10.0', '0.9.9'), true);
  assert.equal(isLaterVersion('0.1.0', '0.1.0'), false);
  assert.equal(isLaterVersion('1', '1.0.1'), false);
});

test('what an import costs: nothing on a fresh platform, nodes also on one without apps', () => {
  assert.equal(lossesOf({ users: 1, apps: 0 }, []), undefined);
  assert.equal(lossesOf({ users: 2, apps: 1 }, []), '1 app and 2 users, which would be replaced');
  assert.equal(
    lossesOf({ users: 1, apps: 0 }, ['10.0.0.2']),
    '0 apps and 1 user, which would be replaced, and 1 other node (10.0.0.2), which would be left without a Core',
  );
});
