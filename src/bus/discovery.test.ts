import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjects } from '../contract/subjects.ts';
import { discoverComponents } from './discovery.ts';
import { MemoryBus } from './memory.ts';

test('a node is asked no longer than until its own have answered, whoever else is silent or speaks', async () => {
  const bus = new MemoryBus();
  const component = (process: string, node: string, pid: number) => ({
    ...{ type: 'T', index: 0, uuid: `0-${node}`, host: '127.0.0.1:1', credentials: ['', ''], process, pid, start: '' },
  });
  bus.subscribe(subjects.componentDiscover, [], (_empty, { respond }) => {
    respond(component('dea', 'other', 7));
    // One that is about to end.
    respond(component('dea', 'own', 6));
    respond(component('router', 'own', 8));
    respond(component('dea', 'own', 7));
  });
  const found = await discoverComponents(bus, {
    ...{ timeoutMs: 60_000, nodeId: 'own' },
    isWhole: (own) => [7, 8].every((pid) => own.some((one) => one.pid === pid)),
  });
  assert.deepEqual(
    found.map(({ process, pid }) => [process, pid]),
    [
      ['dea', 6],
      ['router', 8],
      ['dea', 7],
    ],
  );
  assert.match(found[0]?.unwell ?? '', /ECONNREFUSED/);
});
