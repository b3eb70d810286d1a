import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { BlobStore } from './blobstore.ts';

/** A fresh store; disposed after each test. */
export type OpenStore = { readonly store: BlobStore } & AsyncDisposable;

const keysOf = async (store: BlobStore, prefix: string) => (await Array.fromAsync(store.list(prefix))).sort();

/** What every BlobStore must do. */
export function blobStoreConformance(name: string, open: () => Promise<OpenStore>): void {
  describe(`blob store conformance: ${name}`, () => {
    test('gives back what was put, with its size and checksums', async () => {
      await using opened = await open();
      const content = Buffer.alloc(300_000, 'blob');
      const info = await opened.store.put('packages/a', Readable.from([content.subarray(0, 7), content.subarray(7)]));
      const sum = (algorithm: string) => createHash(algorithm).update(content).digest('hex');
      const expected = { key: 'packages/a', bytes: 300_000, sha1: sum('sha1'), sha256: sum('sha256') };
      assert.deepEqual(info, expected);
      assert.deepEqual(await opened.store.stat('packages/a'), expected);
      assert.ok((await buffer((await opened.store.get('packages/a')) as Readable)).equals(content));
    });

    test('has nothing under a key that was never put', async () => {
      await using opened = await open();
      assert.equal(await opened.store.stat('packages/none'), undefined);
      assert.equal(await opened.store.get('packages/none'), undefined);
      await opened.store.delete('packages/none');
    });

    test('keeps an empty blob', async () => {
      await using opened = await open();
      await opened.store.put('x/empty', Readable.from([]));
      assert.equal((await opened.store.stat('x/empty'))?.bytes, 0);
      assert.equal((await buffer((await opened.store.get('x/empty')) as Readable)).length, 0);
    });

    test('gives ranges, the end included', async () => {
      await using opened = await open();
      await opened.store.put('x/range', Readable.from([Buffer.from('0123456789')]));
      const text = async (range: { start: number; end?: number }) =>
        String(await buffer((await opened.store.get('x/range', range)) as Readable));
      assert.equal(await text({ start: 2, end: 4 }), '234');
      assert.equal(await text({ start: 7 }), '789');
    });

    test('replaces a blob, checksums included', async () => {
      await using opened = await open();
      await opened.store.put('x/a', Readable.from([Buffer.from('one')]));
      await opened.store.put('x/a', Readable.from([Buffer.from('two')]));
      const sha1 = createHash('sha1').update('two').digest('hex');
      assert.equal((await opened.store.stat('x/a'))?.sha1, sha1);
    });

    test('leaves the old blob when the stream of a new one fails', async () => {
      await using opened = await open();
      await opened.store.put('x/a', Readable.from([Buffer.from('old')]));
      const broken = Readable.from(
        (async function* () {
          yield Buffer.from('half');
          throw new Error('client went away');
        })(),
      );
      await assert.rejects(opened.store.put('x/a', broken), /client went away/);
      await assert.rejects(opened.store.put('x/b', Readable.from(failing())), /client went away/);
      assert.equal(String(await buffer((await opened.store.get('x/a')) as Readable)), 'old');
      assert.deepEqual(await keysOf(opened.store, 'x/'), ['x/a']);
    });

    test('lists by prefix, also when a prefix ends within a name', async () => {
      await using opened = await open();
      for (const key of ['a/1', 'a/2', 'ab/3', 'b/22']) await opened.store.put(key, Readable.from([Buffer.from(key)]));
      assert.deepEqual(await keysOf(opened.store, 'a/'), ['a/1', 'a/2']);
      assert.deepEqual(await keysOf(opened.store, 'a'), ['a/1', 'a/2', 'ab/3']);
      assert.deepEqual(await keysOf(opened.store, 'b/2'), ['b/22']);
      assert.deepEqual(await keysOf(opened.store, 'none/'), []);
      await opened.store.delete('a/1');
      assert.deepEqual(await keysOf(opened.store, 'a/'), ['a/2']);
    });

    test('refuses keys that could mean another place', async () => {
      await using opened = await open();
      for (const key of ['../x', 'a/../b', '/a', 'a//b', '', 'a/.', 'a b', 'a\0']) {
        await assert.rejects(opened.store.put(key, Readable.from([])), /not a blob key/);
        await assert.rejects(opened.store.stat(key), /not a blob key/);
      }
    });

    test('survives simultaneous puts of one key with one of them whole', async () => {
      await using opened = await open();
      const contents = ['a', 'b', 'c'].map((letter) => Buffer.alloc(100_000, letter));
      await Promise.all(contents.map((content) => opened.store.put('x/race', Readable.from([content]))));
      const kept = await buffer((await opened.store.get('x/race')) as Readable);
      assert.ok(contents.some((content) => content.equals(kept)));
    });
  });
}

// biome-ignore lint/correctness/useYield: a stream that fails before its first byte
async function* failing(): AsyncGenerator<Buffer> {
  throw new Error('client went away');
}
