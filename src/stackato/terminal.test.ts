import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Terminal } from './terminal.ts';

test('a line that moves is gone before the answer comes, also when that is JSON on another stream', () => {
  const [stdout, stderr] = [new PassThrough(), Object.assign(new PassThrough(), { isTTY: true })];
  const terminal = new Terminal({ stdout, stderr, stdin: new PassThrough(), noColor: true });
  terminal.isJson = true;
  terminal.progress('web: 1 of 1 running');
  terminal.answer({ state: 'STARTED' }, () => assert.fail('words are not asked for'));
  assert.equal(String(stderr.read()), 'web: 1 of 1 running\r\u001b[2K');
  assert.deepEqual(JSON.parse(String(stdout.read())), { state: 'STARTED' });
});
