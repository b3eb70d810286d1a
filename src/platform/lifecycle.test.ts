import assert from 'node:assert/strict';
import { test } from 'node:test';
import { part, runParts } from './lifecycle.ts';
import { silentLog } from './log.ts';

const traced = (trail: string[], name: string, fails = false) =>
  part(name, () => {
    if (fails) throw new Error(`${name} is broken`);
    trail.push(`start ${name}`);
    return () => void trail.push(`stop ${name}`);
  });

test('runParts() starts in order and stops in reverse', async () => {
  const trail: string[] = [];
  const stop = new AbortController();
  const last = part('last', () => {
    queueMicrotask(() => stop.abort());
    return () => void trail.push('stop last');
  });
  await runParts([traced(trail, 'a'), traced(trail, 'b'), last], stop.signal, silentLog);
  assert.deepEqual(trail, ['start a', 'start b', 'stop last', 'stop b', 'stop a']);
});

test('runParts() stops what was started when a later part fails to start', async () => {
  const trail: string[] = [];
  const parts = [traced(trail, 'a'), traced(trail, 'b', true), traced(trail, 'c')];
  await assert.rejects(runParts(parts, new AbortController().signal, silentLog), /b is broken/);
  assert.deepEqual(trail, ['start a', 'stop a']);
});
