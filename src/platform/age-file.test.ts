import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AgeError, decryptAge, encryptAge } from './age-file.ts';

async function* pieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function all(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const encrypted = (content: Buffer, passphrase = 'p') =>
  all(encryptAge(pieces(content, 1000), passphrase, { logN: 4 }));
const decrypted = (file: Buffer, passphrase = 'p') => all(decryptAge(pieces(file, 777), passphrase));
const because = (kind: string) => (error: unknown) => error instanceof AgeError && error.because === kind;

test('any content comes back as it was', async () => {
  const sizes = fc.oneof(fc.nat(200), fc.constantFrom(65_535, 65_536, 65_537, 131_072, 200_000));
  await fc.assert(
    fc.asyncProperty(sizes, async (bytes) => {
      const content = Buffer.alloc(bytes, 'stackato ');
      assert.deepEqual(await decrypted(await encrypted(content)), content);
    }),
    { numRuns: 30 },
  );
});

test('a file that was cut anywhere or changed anywhere is refused', async () => {
  const file = await encrypted(Buffer.alloc(140_000, 'x'));
  for (const length of [
    0,
    10,
    100,
    150,
    170,
    200,
    65_000,
    file.length - 65_536 - 16,
    file.length - 17,
    file.length - 1,
  ]) {
    await assert.rejects(decrypted(file.subarray(0, length)), AgeError, `cut at ${length}`);
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), async (at) => {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await assert.rejects(decrypted(changed), AgeError, `changed at ${at}`);
    }),
    { numRuns: 60 },
  );
  await assert.rejects(decrypted(Buffer.concat([file, Buffer.from('more')])), because('damaged'));
});

test('a wrong passphrase, another kind of file, and a costly head are told apart', async () => {
  const file = await encrypted(Buffer.from('secret'));
  await assert.rejects(decrypted(file, 'other'), because('passphrase'));
  await assert.rejects(decrypted(Buffer.from('PK\x03\x04 this is a zip')), because('format'));
  const costly = Buffer.from(file.toString('latin1').replace(/(-> scrypt \S+) 4/, '$1 30'), 'latin1');
  await assert.rejects(decrypted(costly), because('format'));
});

/** `printf 'from the age tool' | age -p`, of Debian's age 1.1.1, with the passphrase `correct horse`. */
const FROM_AGE = [
  'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBXNGl3ckkrOTFWalFZNmEwTjBVeExRIDE4Cm5hYWxsekp1em',
  'pDY2NHUzV3Y1NwVU1vSGF1cUVoOUdvckt5VjZkOXZySnMKLS0tIDhSbFA2eU5JMktUbkQ1QzAvQlNFYUVyb25QNGYy',
  'bGJiTGk5WThMVk1MMjgKumqGegBJ6eveFAYBHy1wjS38KSCMPIckYgsOIk+q5bXbYcbkiG+wimZ98XCs9j+3iA==',
].join('');

test('a file that the age tool wrote can be read', async () => {
  const plain = await decrypted(Buffer.from(FROM_AGE, 'base64'), 'correct horse');
  assert.equal(plain.toString(), 'from the age tool');
});
