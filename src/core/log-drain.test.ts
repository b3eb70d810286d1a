import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appLines, formatDrainLine, systemLines } from './drain-line.ts';
import { drainRetryMs, isForDrain, readDrain } from './log-drain.ts';

test('a URI says where to, which lines, and how they are written', () => {
  assert.deepEqual(readDrain('tcp://logs.example.com:514/?filter=apptail.a-1&filter=systail&format=syslog'), {
    protocol: 'tcp',
    host: 'logs.example.com',
    port: 514,
    filters: ['apptail.a-1', 'systail'],
    format: 'syslog',
  });
  assert.deepEqual(readDrain('udp://[fd00::1]:514'), {
    protocol: 'udp',
    host: 'fd00::1',
    port: 514,
    filters: [],
    format: 'json',
  });
});

test('what is no drain is refused with the reason', () => {
  for (const [uri, reason] of [
    ['logs.example.com', /no URI/],
    ['redis://logs:6379/', /speaks tcp, tls or udp, not redis/],
    ['tcp://logs.example.com', /lacks a host or a port/],
    ['tcp://me:secret@logs:514', /no user and no password/],
    ['tcp://logs:514/path', /has no path/],
    ['tcp://logs:514/?key=x', /not key/],
    ['tcp://logs:514/?format=xml', /json, raw or syslog, not xml/],
    ['tcp://logs:514/?filter=event', /'event' is no key/],
  ] as const) {
    const drain = readDrain(uri);
    assert.match('refused' in drain ? drain.refused : 'taken', reason);
  }
});

test('a filter is the beginning of a key, in whole words', () => {
  assert.ok(isForDrain([], 'systail.dea.10.0.0.5'));
  assert.ok(isForDrain(['apptail', 'systail.dea'], 'systail.dea.10.0.0.5'));
  assert.ok(!isForDrain(['systail.de'], 'systail.dea.10.0.0.5'));
  assert.ok(!isForDrain(['apptail'], 'systail.dea.10.0.0.5'));
});

test('tries come less often the longer a drain fails', () => {
  assert.deepEqual(
    [0, 2, 10, 20].map((minutes) => drainRetryMs(minutes * 60_000)),
    [5000, 30_000, 60_000, 300_000],
  );
});

test('lines of apps and of processes, in each format', () => {
  const tags = { app_name: 'my shop', space_name: 'dev' };
  const said = { at: '1700000000123456789', source: 'APP/PROC/WEB', instance: '2', type: 'ERR' as const, text: 'a\nb' };
  const [line] = appLines({ app: 'g-1', tags, lines: [said] }, 0);
  assert.ok(line);
  assert.equal(formatDrainLine(line, 'syslog'), '<11>1 2023-11-14T22:13:20.123Z my-shop g-1 [APP/PROC/WEB/2] - - a b');
  const value = {
    ...{ text: 'a\nb', unix_time: 1_700_000_000, human_time: '2023-11-14T22:13:20.123Z', source: 'APP/PROC/WEB' },
    ...{ instance_index: 2, app_guid: 'g-1', app_name: 'my shop', app_space: 'dev' },
  };
  assert.deepEqual(JSON.parse(formatDrainLine(line, 'json')), value);
  assert.equal(formatDrainLine(line, 'raw'), `apptail.g-1 ${JSON.stringify(value)}`);
  const log = '{"level":"error","time":"2023-11-14T22:13:20.000Z","process":"stager","msg":"x"}';
  const [own] = systemLines({ process: 'base', lines: [log] }, '10.0.0.5', 0);
  assert.ok(own);
  assert.equal(own.key, 'systail.stager.10.0.0.5');
  assert.equal(formatDrainLine(own, 'syslog'), `<11>1 2023-11-14T22:13:20.000Z 10.0.0.5 stager - - - ${log}`);
});
