import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportProcesses, reportRole } from './process-status.ts';

const plans = ['link', 'dea', 'base'].map((name) => ({ name, program: name }));
const supervised = (states: Record<string, string>) =>
  Object.entries(states).map(([name, state]) => ({ name, state, pid: 7, startedAtS: 1 }));
const link = { name: 'link', unwell: undefined };

test('processes that run while the bus is away are told from those that are late', () => {
  const seen = {
    supervised: supervised({ link: 'RUNNING', dea: 'RUNNING', base: 'BACKOFF' }),
    answers: [link],
    nowMs: 0,
  };
  const away = reportProcesses(plans, { ...seen, busIsAway: 'the bus does not answer' });
  assert.deepEqual(
    away.map(({ state, ready, description }) => [state, ready, description]),
    [
      ['RUNNING', true, ''],
      ['WAITING', false, 'the bus does not answer'],
      ['BACKOFF', false, 'ends soon after each start; its log says why'],
    ],
  );
  assert.equal(reportProcesses(plans, seen)[1]?.state, 'RUNNING');
});

test('a role waits when all of it that is not ready does', () => {
  const report = (states: Record<string, string>) =>
    reportRole(
      reportProcesses(plans, { supervised: supervised(states), answers: [link], nowMs: 0, busIsAway: 'away' }),
    );
  assert.equal(report({ link: 'RUNNING', dea: 'RUNNING', base: 'RUNNING' }), 'WAITING');
  assert.equal(report({ link: 'RUNNING', dea: 'RUNNING', base: 'STARTING' }), 'STARTING');
  assert.equal(report({ link: 'RUNNING', dea: 'RUNNING' }), 'PARTIAL');
});
