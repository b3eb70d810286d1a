import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjects } from '../../contract/subjects.ts';
import { testApi } from '../api/test-controller.ts';
import { nodeRoutes } from './node.ts';

test('nodes are listed by address, to administrators and auditors only', async () => {
  await using api = await testApi({ routes: [...nodeRoutes] });
  const status = { version: '1', roles: ['base'], processes: [] };
  api.controller.bus.subscribe(subjects.nodeFind, [], (_empty, message) => {
    message.respond({ ...status, node: 'b', address: '10.0.0.2' });
    message.respond({ ...status, node: 'a', address: '10.0.0.1' });
  });
  const { body } = await api.call('GET', '/stackato/v1/nodes');
  assert.deepEqual(
    body.resources.map((node: { address: string }) => node.address),
    ['10.0.0.1', '10.0.0.2'],
  );
  assert.equal((await api.call('GET', '/stackato/v1/nodes', { as: 'alice' })).status, 403);
});
