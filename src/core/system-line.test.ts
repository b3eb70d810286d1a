import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSystemLine, readSystemLine } from './system-line.ts';

const shown = (log: string, line: string, node?: string) => formatSystemLine(readSystemLine(log, line), node);

test('lines of our own processes are shown with their fields, and under the process that wrote them', () => {
  const line =
    '{"level":"warn","time":"2026-11-21T22:34:19.569Z","process":"stager","revision":8,"to":["a b"],"msg":"took"}';
  assert.equal(shown('base', line), '22:34:19.569 stager warn took revision=8 to=["a b"]');
  assert.equal(shown('base', line, '10.0.0.5'), '22:34:19.569 10.0.0.5 stager warn took revision=8 to=["a b"]');
  const failed =
    '{"level":"error","process":"dea","error":{"type":"Error","message":"no room","stack":"x"},"msg":"failed"}';
  assert.equal(shown('dea', failed), 'dea error failed error="no room"');
});

test('lines of other programs are shown as they are, but for what a terminal would obey', () => {
  const nats = '[26519] 2026/11/21 22:38:17.042056 [ERR] TLS handshake error: EOF';
  assert.equal(shown('nats', nats), `22:38:17.042 nats ${nats}`);
  assert.equal(shown('link', 'plain'), 'link plain');
  assert.equal(shown('link', '{ not json'), 'link { not json');
  assert.equal(shown('router', 'a\u001b[2Jb\u202ec'), 'router a [2Jb c');
});
