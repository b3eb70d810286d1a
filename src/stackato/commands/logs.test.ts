import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeUser } from '../testing/call.ts';

for (const hasStream of [true, false]) {
  test(`a line that arrives late is told once, though later ones were told (${hasStream ? 'stream' : 'asking again'})`, {
    timeout: 20_000,
  }, async () => {
    await using user = await FakeUser.loggedIn();
    const { platform } = user;
    platform.hasStream = hasStream;
    platform.addApp('demo');
    const atNs = (ms: number) => String(BigInt(Date.now() + ms) * 1_000_000n);
    const late = { source: 'APP/PROC/WEB', text: 'up', atNs: atNs(-500) };
    platform.log({ source: 'APP/PROC/WEB', text: 'long ago', atNs: atNs(-60_000) });
    platform.log({ source: 'CELL', text: 'Container became healthy', atNs: atNs(0) });
    const stop = new AbortController();
    user.signal = stop.signal;
    const call = user.call('logs', 'demo', '--follow', '--num', '1', '--json');
    while (!user.output.includes('healthy')) await new Promise((resolve) => setImmediate(resolve));
    platform.log(late);
    while (!user.output.includes('up')) await new Promise((resolve) => setImmediate(resolve));
    stop.abort('SIGINT');
    const lines = (await call).out.trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).text),
      ['Container became healthy', 'up'],
    );
  });
}
