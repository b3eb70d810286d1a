import assert from 'node:assert/strict';
import { test } from 'node:test';
import { licenseInWords, readLicense } from './license.ts';

test('names and values are kept, each in one line; a text is one of them', () => {
  assert.deepEqual(readLicense({ organization: 'Acme', serial: 17, hosts: ['a', 'b'] }), {
    license: { organization: 'Acme', serial: '17', hosts: '["a","b"]' },
  });
  assert.deepEqual(readLicense('Granted to Acme\nuntil 2030\n'), {
    license: { text: 'Granted to Acme until 2030' },
  });
});

test('what is no licence is refused', () => {
  for (const [content, reason] of [
    ['', /says nothing/],
    [null, /says nothing/],
    [{}, /says nothing/],
    [{ __proto__x: 'a' }, /no name/],
    [{ a: 'x'.repeat(17_000) }, /at most 16384/],
    [Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`n${at}`, 'x'])), /at most 50/],
  ] as const) {
    const outcome = readLicense(content);
    assert.match('refused' in outcome ? outcome.refused : 'taken', reason);
  }
});

test('in words it is one line, and its absence is no fault', () => {
  assert.equal(licenseInWords({ organization: 'Acme', serial: '17' }), 'organization Acme, serial 17');
  assert.match(licenseInWords({}), /none is needed/);
});
