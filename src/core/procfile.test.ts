import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeProcesses, parseProcfile } from './procfile.ts';

test('a Procfile gives one command per process type', () => {
  const text = '# processes\r\nweb: node server.js --port $PORT\n\nworker-2:  bin/work "a: b"\n';
  assert.deepEqual(parseProcfile(text), {
    processes: { web: 'node server.js --port $PORT', 'worker-2': 'bin/work "a: b"' },
  });
});

test('a command that is quoted as a whole loses its quotes, any other keeps them', () => {
  assert.deepEqual(parseProcfile(`web: 'npm start'\nb: "x" and "y"\n`), {
    processes: { web: 'npm start', b: '"x" and "y"' },
  });
});

test('a line without a command is refused with its number', () => {
  for (const text of ['web: ok\nnonsense\n', 'web: ok\nworker:\n']) {
    const outcome = parseProcfile(text);
    assert.ok('error' in outcome && outcome.error.startsWith('Procfile line 2 '), JSON.stringify(outcome));
  }
});

test('no text makes the parser throw, and every process it gives has a command', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const outcome = parseProcfile(text);
      if ('processes' in outcome) for (const command of Object.values(outcome.processes)) assert.notEqual(command, '');
    }),
  );
});

test('the Procfile wins over the buildpack', () => {
  assert.deepEqual(mergeProcesses({ web: 'a', cron: 'c' }, { web: 'b' }), { web: 'b', cron: 'c' });
});
