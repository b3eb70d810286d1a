import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker, MemoryBus } from '../bus/memory.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { findS3Keys } from './s3-keys.ts';

const boot = (kind: string, signal = new AbortController().signal) => ({
  ...{ config: decode(ClusterConfig, { blobs: { kind } }, 'config'), clock: systemClock, log: silentLog, stop: signal },
  credentials: { bus: { servers: [], user: '', password: '', caFile: '' } },
});

test('the keys of the S3 server come from the primary, and only where blobs are in S3', async () => {
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  const asked: string[] = [];
  bus.subscribe(subjects.secretGet, [], ({ name }, message) => {
    asked.push(name);
    message.respond({ value: `value of ${name}` });
  });
  assert.equal(await findS3Keys(boot('folder'), bus), undefined);
  assert.deepEqual(asked, []);
  assert.deepEqual(await findS3Keys(boot('s3'), bus), {
    accessKeyId: 'value of blobs.s3.accessKeyId',
    secretAccessKey: 'value of blobs.s3.secretAccessKey',
  });
});

test('a controller that is stopped while it waits for the primary ends with what to do', async () => {
  const bus = new MemoryBus(new MemoryBroker(), silentLog);
  await assert.rejects(findS3Keys(boot('s3', AbortSignal.abort()), bus), /run `kato status`/);
});
