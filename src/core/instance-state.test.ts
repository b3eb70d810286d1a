import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdsMemory, instanceEvents, instanceStates, isReported, isRouted, transition } from './instance-state.ts';

test('the whole matrix, state by event', () => {
  const rows = instanceStates.map((state) => {
    const cells = instanceEvents.map((event) => {
      const result = transition(state, event);
      return 'to' in result ? result.to : '-';
    });
    return `${state}: ${cells.join(' ')}`;
  });
  assert.deepEqual(rows, [
    // start healthy evacuate stop stopped exit fail reap
    'BORN: STARTING - - STOPPING - - CRASHED -',
    'STARTING: - RUNNING - STOPPING - CRASHED CRASHED -',
    'RUNNING: - - EVACUATING STOPPING - CRASHED CRASHED -',
    'EVACUATING: - - - STOPPING - CRASHED CRASHED -',
    'STOPPING: - - - - STOPPED STOPPING - -',
    'STOPPED: - - - - - - - -',
    'CRASHED: - - - STOPPING - - - STOPPED',
  ]);
});

test('a refused event says what it was', () => {
  assert.deepEqual(transition('STOPPED', 'start'), { refused: "an instance that is STOPPED can't start" });
});

test('a stopped instance stays stopped, and a crashed one never runs again', () => {
  for (const event of instanceEvents) {
    assert.ok('refused' in transition('STOPPED', event));
    const crashed = transition('CRASHED', event);
    assert.ok('refused' in crashed || crashed.to === 'STOPPING' || crashed.to === 'STOPPED');
  }
});

test('who holds memory, is reported, and is routed', () => {
  const row = instanceStates.map((s) => `${s} ${Number(holdsMemory(s))}${Number(isReported(s))}${Number(isRouted(s))}`);
  assert.deepEqual(row, [
    'BORN 100',
    'STARTING 110',
    'RUNNING 111',
    'EVACUATING 111',
    'STOPPING 100',
    'STOPPED 000',
    'CRASHED 010',
  ]);
});
