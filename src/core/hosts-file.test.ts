import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostOfRoute, readHostsBlock, writeHostsBlock } from './hosts-file.ts';

const own = '127.0.0.1 localhost\n::1 ip6-localhost # six';

test('names are added in a block of their own, sorted, and taken away again', () => {
  const once = writeHostsBlock(own, ['b.x.localhost', 'a.x.localhost']);
  assert.ok(once.startsWith(`${own}\n`));
  assert.deepEqual(readHostsBlock(once), ['a.x.localhost', 'b.x.localhost']);
  assert.deepEqual(readHostsBlock(writeHostsBlock(once, ['c.x.localhost'])), ['c.x.localhost']);
  assert.equal(writeHostsBlock(once, []), `${own}\n`);
});

test('writing the same twice changes nothing, whatever the names', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}\.localhost$/);
  fc.assert(
    fc.property(fc.array(name), (names) => {
      const once = writeHostsBlock(own, names);
      assert.equal(writeHostsBlock(once, names), once);
      assert.equal(writeHostsBlock(once, readHostsBlock(once)), once);
    }),
  );
});

test('a name that is no host name can not smuggle in lines', () => {
  const text = writeHostsBlock(own, ['*.x.localhost', 'a\n6.6.6.6 bank.example', 'bad name', '-x.localhost']);
  assert.equal(text, own);
});

test('only hosts below the domain are taken from routes', () => {
  assert.equal(hostOfRoute('App.x.localhost/path', 'x.localhost'), 'app.x.localhost');
  assert.equal(hostOfRoute('*.x.localhost', 'x.localhost'), undefined);
  assert.equal(hostOfRoute('bank.example', 'x.localhost'), undefined);
  assert.equal(hostOfRoute('evilx.localhost', 'x.localhost'), undefined);
});
