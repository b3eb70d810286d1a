import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blobKindsOf, chooseParts, dataPartNames, schemasOf } from './data-parts.ts';

test('everything is taken unless parts are named or left out', () => {
  assert.deepEqual(chooseParts({}), dataPartNames);
  assert.deepEqual(chooseParts({ without: ['resources,packages', 'users'] }), [
    'control-database',
    'settings',
    'droplets',
    'buildpacks',
  ]);
  assert.deepEqual(chooseParts({ only: ['users'] }), ['users']);
  assert.deepEqual(chooseParts({ left: ['packages'], without: ['packages', 'resources'] }), [
    'control-database',
    'users',
    'settings',
    'droplets',
    'buildpacks',
  ]);
});

test('blobs go with the rows that speak of them', () => {
  assert.deepEqual(chooseParts({ without: ['control-database'] }), ['users', 'settings']);
  assert.deepEqual(chooseParts({ only: ['droplets'] }), {
    refused: 'droplets belong to apps, which are in control-database: name it too',
  });
});

test('names that are none, that are not to be had, and an empty choice are refused in words', () => {
  const why = (wanted: Parameters<typeof chooseParts>[0]) => {
    const found = chooseParts(wanted);
    return 'refused' in found ? found.refused : assert.fail();
  };
  assert.match(why({ only: ['user'] }), /no part 'user'; there are control-database, users/);
  assert.match(why({ only: ['users'], left: ['users'] }), /left out of the archive/);
  assert.match(why({ only: ['users'], without: ['users'] }), /leaves nothing/);
});

test('parts know their schemas and blobs', () => {
  assert.deepEqual(schemasOf(dataPartNames), ['controller', 'health', 'aok', 'primary']);
  assert.deepEqual(blobKindsOf(['users', 'droplets']), ['droplets']);
});
