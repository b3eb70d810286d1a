import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { documentPath, portsPage } from '../scripts/port-docs.ts';

test('the page of ports says what the table says (bin/node scripts/port-docs.ts writes it)', () => {
  assert.equal(readFileSync(documentPath, 'utf8'), portsPage());
});
