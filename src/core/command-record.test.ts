import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecorded, readRecords, recordedArgs } from './command-record.ts';

test('what changes nothing is not remembered', () => {
  for (const line of ['status', 'config get', 'role info', 'node list', 'op custom_ssl_cert list', 'inspect'])
    assert.ok(!isRecorded(line.split(' ')), line);
  for (const line of [
    'stop',
    'config set',
    'role add',
    'node setup micro',
    'op firewall',
    'op custom_ssl_cert install',
  ])
    assert.ok(isRecorded(line.split(' ')), line);
});

test('secrets among the arguments are not remembered', () => {
  const kept = (line: string) => recordedArgs(line.split(' ')).join(' ');
  const token = `${'a'.repeat(40)}.${'b'.repeat(32)}`;
  assert.equal(kept(`node attach 10.0.0.5 -e dea --token ${token}`), 'node attach 10.0.0.5 -e dea --token [hidden]');
  assert.equal(kept(`node attach 10.0.0.5 --token=${token}`), 'node attach 10.0.0.5 --token=[hidden]');
  assert.equal(kept('config set staging.environment.API_KEY abc'), 'config set staging.environment.API_KEY [hidden]');
  assert.equal(
    kept('config set staging.environment.HTTP_PROXY http://me:pw@proxy:3128'),
    'config set staging.environment.HTTP_PROXY http://me:[hidden]@proxy:3128',
  );
  assert.equal(kept('config set blobs.s3.accessKeyId -'), 'config set blobs.s3.accessKeyId -');
  assert.equal(kept('node setup micro --password-stdin --yes'), 'node setup micro --password-stdin --yes');
});

test('beginnings and ends are put together; what was cut off has no end', () => {
  const lines = [
    '{"id":"1","atMs":10,"by":"root","args":["stop"]}',
    '{"id":"2","atMs":20,"by":"root","args":["start"]}',
    '{"id":"1","code":0,"tookMs":5}',
    '{"id":"3","atMs":30,"by":"ro',
    '{"id":"9","code":1}',
  ];
  assert.deepEqual(readRecords(lines.join('\n')), [
    { id: '1', atMs: 10, by: 'root', args: ['stop'], code: 0, tookMs: 5 },
    { id: '2', atMs: 20, by: 'root', args: ['start'] },
  ]);
});
