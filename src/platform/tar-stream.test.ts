import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec } from './exec.ts';
import { temporaryDirectory } from './files.ts';
import { readTar, TarError, type TarFile, writeTar } from './tar-stream.ts';

const file = (path: string, content: Buffer, bytes = content.length): TarFile => ({
  ...{ path, bytes },
  content: (async function* () {
    for (let at = 0; at < content.length; at += 700) yield content.subarray(at, at + 700);
  })(),
});

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function all(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const long = `blobs/buildpack_cache/${'a'.repeat(90)}/${'b'.repeat(60)}`;
const sizes = [0, 1, 511, 512, 513, 300_000];
const files = () => [...sizes.map((size) => file(`f/${size}`, Buffer.alloc(size, 'x'))), file(long, Buffer.from('y'))];

test('files come back as they were, and tar itself reads them', async () => {
  const archive = await all(writeTar(each(files()), { mtimeS: 1 }));
  const seen: [string, number][] = [];
  for await (const { path, content } of readTar(each([archive]))) {
    seen.push([path, path === 'f/512' ? 512 : (await all(content)).length]);
  }
  assert.deepEqual(seen, [...sizes.map((size): [string, number] => [`f/${size}`, size]), [long, 1]]);
  await using folder = await temporaryDirectory('tar');
  await writeFile(join(folder.path, 'x.tar'), archive);
  const { stdout } = await exec(['tar', '-tvf', join(folder.path, 'x.tar')]);
  assert.equal(stdout.trim().split('\n').length, files().length);
  assert.match(stdout, /300000 .* f\/300000/);
});

test('a file that gives more or less than it said is not written as if nothing were', async () => {
  for (const bytes of [3, 30]) {
    await assert.rejects(all(writeTar(each([file('x', Buffer.from('0123456789'), bytes)]), { mtimeS: 1 })), TarError);
  }
});

test('paths that lead out, links and archives that were cut are refused', async () => {
  const read = async (archive: Buffer) => {
    for await (const { content } of readTar(each([archive]))) await all(content);
  };
  for (const path of ['../x', 'a/../../x', '/etc/passwd', 'a//b']) {
    const archive = await all(writeTar(each([file(path, Buffer.from('x'))]), { mtimeS: 1 }));
    await assert.rejects(read(archive), /no path in an archive/, path);
  }
  await using folder = await temporaryDirectory('tar');
  await exec(['ln', '-s', '/etc/passwd', join(folder.path, 'link')]);
  await exec(['tar', '--format=ustar', '-cf', join(folder.path, 'x.tar'), '-C', folder.path, 'link']);
  const { readFile } = await import('node:fs/promises');
  await assert.rejects(read(await readFile(join(folder.path, 'x.tar'))), /no plain file/);
  const whole = await all(writeTar(each(files()), { mtimeS: 1 }));
  await assert.rejects(read(whole.subarray(0, 200_000)), /was cut/);
  const damaged = Buffer.from(whole);
  damaged[10] = 0x41;
  await assert.rejects(read(damaged), /damaged/);
});
