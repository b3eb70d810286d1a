import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { FakeUser, hurriedClock } from '../testing/call.ts';

const node = { 'package.json': '{"scripts":{"start":"node server.js"}}', 'server.js': 'serve()' };

test('an app that crashes shows its last words, the exit status, and what to try', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.states = (process) => {
    user.platform.events.push({
      guid: 'e',
      type: 'app.crash',
      created_at: new Date().toISOString(),
      actor: { name: 'demo' },
      data: { index: 0, exit_status: 137, exit_description: 'APP/PROC/WEB: Exited with status 137 (out of memory)' },
    });
    if (user.platform.events.length === 1) {
      user.platform.log({ source: 'APP/PROC/WEB', type: 'ERR', text: 'allocating everything' });
    }
    user.platform.log({ source: 'CELL', text: 'Instance i crashed: out of memory' });
    return user.platform.instances(process, 'CRASHED');
  };
  const { code, out, err } = await user.call('push', 'demo');
  assert.equal(code, 1);
  assert.match(err, /demo did not start: Exited with status 137 \(out of memory\)/);
  assert.equal(`${out}${err}`.split('allocating everything').length, 2, 'told once');
  assert.match(err, /next: It has 256M; give it more: stackato scale demo -m 512M/);
});

test('the last words of an app that crashes are waited for, though its crash is known long before', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  const { platform } = user;
  platform.states = (process) => {
    platform.events.push({
      guid: 'e',
      type: 'app.crash',
      created_at: new Date().toISOString(),
      actor: { name: 'demo' },
      data: { index: 0, exit_status: 3, exit_description: 'APP/PROC/WEB: Exited with status 3' },
    });
    return platform.instances(process, 'CRASHED');
  };
  let aheadMs = 0;
  let crashedMs: number | undefined;
  const nowMs = () => Date.now() + aheadMs;
  const sleep: Clock['sleep'] = async (ms, signal) => {
    if (platform.events.length > 0) crashedMs ??= nowMs();
    if (crashedMs === undefined) return systemClock.sleep(ms, signal);
    if (nowMs() < crashedMs + 1500) aheadMs += ms;
    else if (platform.lines.length === 0) {
      platform.log({ source: 'APP/PROC/WEB', type: 'ERR', text: 'listen EADDRINUSE: address already in use :::80' });
      for (const { index } of platform.events.map(({ data }) => data as { index: number }))
        platform.log({ source: 'CELL', text: `Instance i${index} crashed: APP/PROC/WEB: Exited with status 3` });
    }
    await systemClock.sleep(1, signal);
  };
  user.clock = { ...systemClock, nowMs, sleep };
  const { code, out, err } = await user.call('push', 'demo');
  assert.equal(code, 1);
  assert.match(out, /EADDRINUSE/);
  assert.match(err, /demo did not start: Exited with status 3\n/);
});

test('an app whose program is missing is not told of ports, though its log speaks of health', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.states = (process) => {
    user.platform.events.push({
      guid: 'e',
      type: 'app.crash',
      created_at: new Date().toISOString(),
      actor: { name: 'demo' },
      data: {
        index: 0,
        exit_status: 127,
        exit_description: 'APP/PROC/WEB: APP/PROC/WEB: Exited with status 127 (exit status 127)',
      },
    });
    user.platform.log({ source: 'CELL', text: 'Container became healthy' });
    user.platform.log({ source: 'CELL', text: 'Instance i crashed: Exited with status 127' });
    return user.platform.instances(process, 'CRASHED');
  };
  const { err } = await user.call('push', 'demo');
  assert.match(err, /did not start: Exited with status 127\n/);
  assert.match(err, /next: A program that the start command names was not found/);
});

test('an app that never listens is told which port', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.clock = hurriedClock();
  user.platform.states = (process) => user.platform.instances(process, 'STARTING');
  const { code, err } = await user.call('push', 'demo', '--timeout', '1');
  assert.equal(code, 1);
  assert.match(err, /variable PORT/);
});
