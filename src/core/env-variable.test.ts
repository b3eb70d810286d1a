import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentProblem, envProblem } from './env-variable.ts';

const cases: readonly [string, string, RegExp | undefined][] = [
  ['COLOUR', 'blue', undefined],
  ['GRÜSSE', 'schön ☃ 😀\n', undefined],
  ['', 'x', /minimum length/],
  ['A=B', 'x', /must not contain '='/],
  ['A\0', 'x', /NUL/],
  ['A', 'x\0y', /value of 'A' must not contain a NUL/],
  ['PORT', '1', /cannot set PORT/],
  ['vcap_x', '1', /cannot start with VCAP_/],
  ['A'.repeat(1001), 'x', /longer than 1000/],
  ['A', 'x'.repeat(131_069), undefined],
  ['A', 'x'.repeat(131_070), /value of 'A' is too large: 131073 bytes, 131072 are possible/],
  ['A', 'ü'.repeat(65_536), /too large/],
];
for (const [key, value, problem] of cases) {
  test(`a variable ${JSON.stringify(key.slice(0, 10))} of ${value.length} characters`, () => {
    const found = envProblem(key, value);
    if (problem) assert.match(found ?? '', problem);
    else assert.equal(found, undefined);
  });
}

test('what one variable takes is counted as the kernel does', () => {
  for (const text of ['a', 'ü', '☃', '😀']) {
    const most = Math.floor((131_072 - 3) / Buffer.byteLength(text));
    assert.equal(envProblem('A', text.repeat(most)), undefined, text);
    assert.match(envProblem('A', `${text.repeat(most)}${text}`) ?? '', /too large/, text);
  }
});

test('many variables are bounded together', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`V${n}`, 'x'.repeat(1000)]));
  assert.equal(environmentProblem(many(250)), undefined);
  assert.match(environmentProblem(many(300)) ?? '', /too large together: \d+ bytes, 262144 are possible/);
});
