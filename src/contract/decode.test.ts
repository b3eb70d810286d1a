import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterConfig } from './config.ts';
import { DecodeError, decode } from './decode.ts';
import { DeaAdvertise, DeaStart } from './messages/dea.ts';
import { RouterRegister } from './messages/router.ts';

test('decode() fills every default of the cluster configuration from nothing', () => {
  const config = decode(ClusterConfig, {}, 'cluster.json');
  assert.equal(config.cluster.domain, 'stackato.localhost');
  assert.equal(config.dea.heartbeatMs, 2000);
  assert.deepEqual(config.staging.environment, {});
});

test('decode() keeps what is set and refuses nonsense by its path', () => {
  assert.equal(decode(ClusterConfig, { router: { httpPort: 8080 } }, 'x').router.httpPort, 8080);
  assert.throws(
    () => decode(ClusterConfig, { router: { httpPort: 'eighty' } }, 'cluster.json'),
    (error) => error instanceof DecodeError && error.path === '/router/httpPort' && /cluster\.json/.test(error.message),
  );
});

test('decode() takes an app id sent as a number, as the oldest peers do', () => {
  const message = decode(
    DeaStart,
    { droplet: 42, index: '1', version: 'v', name: 'n', limits: { mem: 128, disk: 512 } },
    'start',
  );
  assert.equal(message.droplet, '42');
  assert.equal(message.index, 1);
  assert.equal(message.sha1, null);
  assert.equal(message.limits.fds, 16384);
});

test('decode() reads a v1 advertisement without the ng keys', () => {
  const ad = decode(DeaAdvertise, { id: 'a', available_memory: 10, available_disk: 20, runtimes: ['node'] }, 'ad');
  assert.deepEqual(ad.app_id_to_count, {});
  assert.equal(ad.placement_properties.zone, 'default');
});

test('decode() does not change its input', () => {
  const input = { host: 'h', port: '80', uris: ['a'] };
  decode(RouterRegister, input, 'register');
  assert.deepEqual(input, { host: 'h', port: '80', uris: ['a'] });
});
