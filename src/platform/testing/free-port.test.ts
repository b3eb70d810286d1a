import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort } from './free-port.ts';

test('ports are given once, those of others not at all, and none that the kernel may give away', async () => {
  const first = await freePort();
  const other = createServer().listen(first + 1, '127.0.0.1');
  await once(other, 'listening');
  const next = await freePort();
  other.close();
  assert.deepEqual([next - first, next < 32_768], [2, true]);
});
