import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExecError, exec } from './exec.ts';

test('exec() gives what the command said', async () => {
  assert.deepEqual(await exec(['printf', 'a b']), { code: 0, stdout: 'a b', stderr: '' });
});

test('exec() passes arguments as they are, never through a shell', async () => {
  const { stdout } = await exec(['printf', '%s', '$HOME; `id` "x"']);
  assert.equal(stdout, '$HOME; `id` "x"');
});

test('exec() writes its input', async () => {
  assert.equal((await exec(['cat'], { input: 'hello' })).stdout, 'hello');
});

test('exec() rejects with the end of standard error and the code', async () => {
  await assert.rejects(exec(['sh', '-c', 'echo broken >&2; exit 3']), (error) => {
    assert.ok(error instanceof ExecError);
    assert.equal(error.code, 3);
    assert.match(error.message, /exited with 3: broken/);
    return true;
  });
});

test('exec() accepts the codes named', async () => {
  assert.equal((await exec(['sh', '-c', 'exit 3'], { okCodes: [0, 3] })).code, 3);
});

test('exec() ends what takes too long, and what is cancelled', async () => {
  await assert.rejects(exec(['sleep', '60'], { timeoutMs: 30 }), /timed out after 30 ms/);
  await assert.rejects(exec(['sleep', '60'], { signal: AbortSignal.abort() }), /was cancelled/);
});

test('exec() says when a command does not exist', async () => {
  await assert.rejects(exec(['no-such-command-here']), /could not start/);
});

test('exec() survives a command that does not read its input', async () => {
  assert.equal((await exec(['true'], { input: Buffer.alloc(1_000_000) })).code, 0);
});
