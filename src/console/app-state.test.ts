import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appState } from './app-state.ts';

test('an app that is to run is shown by its worst instance', () => {
  const of = (...states: string[]) => [
    { process_instances: states.map((state, index) => ({ index, state, since: 0 })) },
  ];
  const cases = [
    ['STARTED', of('RUNNING', 'RUNNING'), 'STARTED'],
    ['STARTED', of('RUNNING', 'CRASHED', 'STARTING'), 'CRASHED'],
    ['STARTED', of('STARTING', 'RUNNING'), 'STARTING'],
    ['STARTED', [{}], 'STARTED'],
    ['STOPPED', of('STOPPING'), 'STOPPED'],
  ] as const;
  for (const [state, processes, shown] of cases) assert.equal(appState({ state }, processes), shown);
});
