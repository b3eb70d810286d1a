import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidateUris, hostOf, parseUri } from './uri.ts';

const keys: readonly (readonly [string, string | undefined])[] = [
  ['App.Example.COM', 'app.example.com'],
  ['app.example.com/', 'app.example.com'],
  ['app.example.com/API/v1/', 'app.example.com/api/v1'],
  ['app.example.com/api?x=1', 'app.example.com/api'],
  ['*.example.com', '*.example.com'],
  ['*.example.com/v1', '*.example.com/v1'],
  ['', undefined],
  ['/path', undefined],
  ['*', undefined],
  ['a.*.com', undefined],
  ['a b.com', undefined],
  ['a.com;show info', undefined],
  ['a.com/x y', undefined],
  ['a.com/x\ny', undefined],
  ['a.com/x\\y', undefined],
  [`a.com/${'x'.repeat(2000)}`, undefined],
];

describe('uri', () => {
  for (const [text, key] of keys) {
    test(`${JSON.stringify(text.slice(0, 30))} is ${key ?? 'no uri'}`, () => assert.equal(parseUri(text), key));
  }

  test('candidates are the exact host with ever shorter paths, then wildcards likewise', () => {
    assert.deepEqual(
      [...candidateUris('A.b.c', '/x/Y/?q=1')],
      ['a.b.c/x/y', 'a.b.c/x', 'a.b.c', '*.b.c/x/y', '*.b.c/x', '*.b.c', '*.c/x/y', '*.c/x', '*.c'],
    );
  });

  test('a path keeps its doubled slashes', () => {
    assert.deepEqual([...candidateUris('a', '/x//y')], ['a/x//y', 'a/x/', 'a/x', 'a']);
  });

  test('a host header loses its port and case', () => assert.equal(hostOf('App.X:8080'), 'app.x'));
});
