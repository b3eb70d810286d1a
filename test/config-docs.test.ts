import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationPage, documentPath } from '../scripts/config-docs.ts';

test('the settings page says what the schema says (bin/node scripts/config-docs.ts writes it)', () => {
  assert.equal(readFileSync(documentPath, 'utf8'), configurationPage());
});
