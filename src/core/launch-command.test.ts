import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchCommand } from './launch-command.ts';

test('the start command is an argument of its own, whatever is in it', () => {
  const command = `echo "a b" && node 'x'; $(id) \`id\` # \\`;
  const argv = launchCommand(command);
  assert.deepEqual(argv.slice(0, 2), ['/bin/bash', '-c']);
  assert.equal(argv[3], command);
  assert.equal(argv[2]?.includes('echo'), false);
});

test('scripts are sourced in order: buildpacks, the app, its profile', () => {
  const script = launchCommand('x')[2] ?? '';
  const places = ['/home/vcap/profile.d', '/home/vcap/app/.profile.d', '/home/vcap/app/.profile;', 'exec bash'];
  const at = places.map((place) => script.indexOf(place));
  assert.deepEqual(
    at,
    at.toSorted((a, b) => a - b),
  );
  assert.equal(at.includes(-1), false);
});
