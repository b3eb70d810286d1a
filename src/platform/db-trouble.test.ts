import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseTrouble } from './db.ts';

const fault = (more: object) => Object.assign(new Error('fault'), more);

test('what an error says of the database', () => {
  assert.match(databaseTrouble(fault({ code: '53100' }))?.says ?? '', /disk is full/);
  assert.match(databaseTrouble(fault({ code: '57P03' }))?.says ?? '', /cannot be reached/);
  assert.match(databaseTrouble(fault({ code: 'ENOENT', syscall: 'connect' }))?.says ?? '', /cannot be reached/);
  for (const other of [fault({ code: 'ENOENT', syscall: 'open' }), fault({ code: '23505' }), 'text', undefined]) {
    assert.equal(databaseTrouble(other), undefined);
  }
});
