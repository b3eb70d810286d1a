import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BuildpackChoice, builtinBuildpacks, chooseBuildpacks } from './buildpack-choice.ts';

const uploaded = { key: 'guid-1', name: 'cobol', url: 'http://controller/bits', sha256: 'ab' };
const nodejs = { key: 'guid-2', name: 'nodejs_buildpack', url: null, sha256: null };

function choose(...args: Parameters<typeof chooseBuildpacks>): BuildpackChoice {
  const choice = chooseBuildpacks(...args);
  assert.ok(!('error' in choice), JSON.stringify(choice));
  return choice;
}

test('without a wish, every offered buildpack is asked in its order', () => {
  const choice = choose([], [uploaded, nodejs]);
  assert.equal(choice.mode, 'detect');
  assert.deepEqual(
    choice.buildpacks.map((one) => one.source.kind),
    ['archive', 'builtin'],
  );
});

test('without an offer, our own buildpacks are asked, binary last', () => {
  const choice = choose([], []);
  assert.deepEqual(
    choice.buildpacks.map((one) => one.name),
    Object.keys(builtinBuildpacks),
  );
  assert.equal(choice.buildpacks.at(-1)?.name, 'binary_buildpack');
});

test('named buildpacks are used in the given order', () => {
  const choice = choose(['cobol', 'nodejs_buildpack'], [nodejs, uploaded]);
  assert.deepEqual([choice.mode, ...choice.buildpacks.map((one) => one.key)], ['use', 'guid-1', 'guid-2']);
});

test('a URL is a zip or a git repository, with the branch after #, and its password is not shown', () => {
  const choice = choose(['https://host/a.zip', 'https://me:pw@host/team/b.git#v1.2'], [nodejs]);
  assert.deepEqual(choice.buildpacks[0]?.source, { kind: 'zip', url: 'https://host/a.zip', branch: '' });
  assert.deepEqual(choice.buildpacks[1]?.source, { kind: 'git', url: 'https://me:pw@host/team/b.git', branch: 'v1.2' });
  assert.equal(choice.buildpacks[1]?.name, 'https://host/team/b.git#v1.2');
});

test('an unknown name is refused with the names that exist', () => {
  for (const name of ['cobol', 'file:///etc', 'constructor', 'https://host/a.git#--upload-pack=x']) {
    const choice = chooseBuildpacks([name], [nodejs]);
    assert.ok('error' in choice && choice.error.includes('nodejs_buildpack'), name);
  }
});
