import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fileAsFolder, isLinkInside, isMatchable, matchResources, parseMode, pathProblem } from './resource-match.ts';

const sha = 'a9993e364706816aba3e25717850c26c9cd0d89d';

test('only what is cached with the same size matches, in the order asked', () => {
  const one = { sha1: sha, bytes: 5000, path: 'a', mode: '0644' };
  const other = { ...one, sha1: sha.replace('a', 'b') };
  assert.deepEqual(matchResources([other, one, { ...one, path: 'b' }], new Map([[sha, 5000]])), [
    one,
    { ...one, path: 'b' },
  ]);
  assert.deepEqual(matchResources([one], new Map([[sha, 5001]])), []);
});

test('empty files and things that are no SHA-1 are never asked for', () => {
  assert.equal(isMatchable({ sha1: sha, bytes: 0 }), false);
  assert.equal(isMatchable({ sha1: '../../etc/passwd', bytes: 5000 }), false);
  assert.equal(isMatchable({ sha1: sha, bytes: 4096 }), true);
});

test('modes are octal', () => {
  assert.equal(parseMode('0755'), 0o755);
  assert.equal(parseMode('100644'), 0o644);
  assert.equal(parseMode('0999'), undefined);
  assert.equal(parseMode(''), undefined);
});

for (const path of [
  '',
  '/etc/passwd',
  '../x',
  'a/../../x',
  'a\\b',
  'C:/x',
  'a\0b',
  `a/${'n'.repeat(256)}`,
  `${'é'.repeat(128)}/b`,
]) {
  test(`path ${JSON.stringify(path)} is refused`, () => assert.ok(pathProblem(path)));
}
for (const path of ['a', 'a/b', 'a..b', '.profile', 'a/', '..a/b', `a/${'n'.repeat(255)}/b`]) {
  test(`path ${JSON.stringify(path)} is accepted`, () => assert.equal(pathProblem(path), undefined));
}

test('a path is measured whole, in bytes', () => {
  const deep = (bytes: number) => 'abcdefg/'.repeat(bytes / 8);
  assert.equal(pathProblem(deep(4096)), undefined);
  assert.match(pathProblem(`${deep(4096)}a`) ?? '', /longer than 4096 bytes/);
  assert.match(pathProblem('é/'.repeat(2000)) ?? '', /longer than 4096 bytes/);
});

test('a file with something below it is found, whatever the order', () => {
  const entry = (path: string, isFolder = path.endsWith('/')) => ({ path, isFolder });
  const clash = { file: 'a', below: 'a/b' };
  assert.deepEqual(fileAsFolder([entry('a'), entry('a/b')]), clash);
  assert.deepEqual(fileAsFolder([entry('a/b'), entry('./a')]), clash);
  assert.deepEqual(fileAsFolder([entry('x/y'), entry('x/y/z/w')]), { file: 'x/y', below: 'x/y/z/w' });
  assert.deepEqual(fileAsFolder([entry('a'), entry('a/')]), { file: 'a', below: 'a/' });
  assert.equal(fileAsFolder([entry('a/'), entry('a/b'), entry('ab'), entry('a.b/c')]), undefined);
  assert.equal(fileAsFolder([entry('a/b'), entry('a/b')]), undefined);
});

test('links may climb as far as the root of the package and no further', () => {
  assert.ok(isLinkInside('a/b/c', '../../d'));
  assert.ok(!isLinkInside('a/b/c', '../../../d'));
  assert.ok(!isLinkInside('a', '/etc/passwd'));
  assert.ok(!isLinkInside('a', 'b/../../c'));
  assert.ok(!isLinkInside('a', 'b/../c'), 'b may be a link too');
});

test('a link that is accepted never resolves outside', () => {
  const part = fc.constantFrom('..', '.', 'x', '');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.constantFrom('d', 'e'), { minLength: 1 }), (to, from) => {
      const target = to.join('/');
      if (!isLinkInside(from.join('/'), target)) return;
      const { pathname } = new URL(`file:///root/${from.join('/')}`);
      const steps = [...pathname.split('/').slice(2, -1), ...target.split('/')];
      let depth = 0;
      for (const step of steps) {
        if (step === '..') depth -= 1;
        else if (step !== '' && step !== '.') depth += 1;
        assert.ok(depth >= 0);
      }
    }),
  );
});
