import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandFor, isRemote, takeNodeNames } from './node-commands.ts';

const taken: readonly [string, string[], string[]][] = [
  ['status', [], ['status']],
  ['-n 10.0.0.2 status', ['10.0.0.2'], ['status']],
  ['restart dea -n 10.0.0.2,10.0.0.3 --json', ['10.0.0.2', '10.0.0.3'], ['restart', 'dea', '--json']],
  ['restart --node=all dea --node 1', ['all', '1'], ['restart', 'dea']],
  ['restart -nall', ['all'], ['restart']],
  ['op x -- -n y', [], ['op', 'x', '--', '-n', 'y']],
];
for (const [line, nodes, args] of taken) {
  test(`nodes named in: kato ${line}`, () => {
    assert.deepEqual(takeNodeNames(line.split(' ')), { nodes, args });
  });
}

test('an option without a node is told', () => {
  assert.deepEqual(takeNodeNames(['status', '-n']), { missing: '-n' });
  assert.deepEqual(takeNodeNames(['status', '--node', '--json']), { missing: '--node' });
});

const told: readonly [string[], string, string | undefined][] = [
  [['base', 'dea'], 'status --json', 'status --json'],
  [['base', 'dea'], 'restart dea router', 'restart dea'],
  [['base', 'router'], 'restart dea', undefined],
  [['base', 'dea'], 'restart', 'restart'],
  [['base', 'dea', 'stager'], 'stop --json', 'stop dea stager --json'],
  [['base'], 'stop', undefined],
  [['base', 'dea'], 'start deaa', 'start deaa'],
  [['base', 'dea'], 'process restart dea', 'process restart dea'],
  [['base', 'dea'], 'process restart dea router', 'process restart dea'],
  [['base', 'router'], 'process restart dea', undefined],
  [['base', 'dea'], 'process ready router -b 20', undefined],
  [['base', 'dea'], 'process ready all -b 20', 'process ready all -b 20'],
  [['base', 'dea'], 'process stop deaa', 'process stop deaa'],
  [['base', 'dea'], 'process list --json', 'process list --json'],
];
for (const [roles, line, expected] of told) {
  test(`a node with ${roles.join(', ')} is told of kato ${line}: ${expected ?? 'nothing'}`, () => {
    assert.equal(commandFor({ roles }, line.split(' '))?.join(' '), expected);
  });
}

test('what could hand a cluster over is not run from elsewhere', () => {
  const may = (line: string) => isRemote(line.split(' '));
  assert.deepEqual(['restart dea', 'node retire', 'role add dea'].map(may), [true, true, true]);
  assert.deepEqual(['node token', 'node detach', 'data export x', 'tell x', 'config set a b'].map(may), [
    false,
    false,
    false,
    false,
    false,
  ]);
});
