import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomHost, splitRoute } from './manifest-route.ts';

const domains = ['example.com', 'deep.example.com', 'stackato.localhost'];

const table: [string, object | undefined][] = [
  ['a.example.com', { host: 'a', domain: 'example.com', path: '' }],
  ['a.b.example.com/x/y', { host: 'a.b', domain: 'example.com', path: '/x/y' }],
  ['a.deep.example.com', { host: 'a', domain: 'deep.example.com', path: '' }],
  ['example.com', { host: '', domain: 'example.com', path: '' }],
  ['*.Example.COM/', { host: '*', domain: 'example.com', path: '' }],
  ['a.other.com', undefined],
  ['notexample.com', undefined],
  ['com', undefined],
];
for (const [route, expected] of table) {
  test(`manifest route: ${route}`, () => assert.deepEqual(splitRoute(route, domains), expected));
}

test('a random host is always a valid label', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 200 }), fc.nat(), (name, lot) => {
      assert.match(
        randomHost(name, (n) => lot % n),
        /^[\w-]{1,63}$/,
      );
    }),
  );
});
