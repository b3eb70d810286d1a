import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf, findDatabaseUrl, vcapServices } from './app-env.ts';

const service = (uri?: string) => ({ label: 'pg', name: 'db', credentials: uri === undefined ? {} : { uri } });

test('later sources win, and what is not text is JSON', () => {
  const env = environmentOf({
    group: { A: 'group', B: 'group', N: 1 },
    app: { B: 'app', J: { x: [1] }, MEMORY_LIMIT: 'mine' },
    services: { pg: [service('postgresql://u:p@h/d')] },
    memoryMb: 256,
  });
  assert.deepEqual(env, [
    'A=group',
    'B=app',
    'N=1',
    'J={"x":[1]}',
    'MEMORY_LIMIT=256m',
    'DATABASE_URL=postgres://u:p@h/d',
  ]);
});

test('only database-like uris become DATABASE_URL', () => {
  assert.equal(findDatabaseUrl([service(), service('redis://x'), service('mysql://u@h/d')]), 'mysql2://u@h/d');
  assert.equal(findDatabaseUrl([service('not a uri')]), undefined);
});

test('services stand below their label', () => {
  const [a, b] = [service('x'), { ...service('y'), label: 'user-provided' }];
  assert.deepEqual(vcapServices([a, b, a]), { pg: [a, a], 'user-provided': [b] });
  assert.deepEqual(vcapServices([]), {});
});
