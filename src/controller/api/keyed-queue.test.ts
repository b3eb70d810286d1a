import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedQueue } from './keyed-queue.ts';

test('work of one key runs in order, a failure does not stop what follows, other keys do not wait', async () => {
  const queue = new KeyedQueue();
  const said: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queue.run('a', async () => {
    await gate.promise;
    said.push('first');
    throw new Error('no');
  });
  const second = queue.run('a', async () => said.push('second'));
  await queue.run('b', async () => said.push('other'));
  gate.resolve();
  await assert.rejects(first, /no/);
  await second;
  assert.deepEqual(said, ['other', 'first', 'second']);
});
