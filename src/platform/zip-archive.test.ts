import assert from 'node:assert/strict';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { ZipFile } from 'yazl';
import { temporaryDirectory } from './files.ts';
import { openZip } from './zip-archive.ts';

test('entries and their contents are read whole, over many windows of the table of contents', async () => {
  await using folder = await temporaryDirectory('zip-archive');
  const path = join(folder.path, 'many.zip');
  const zip = new ZipFile();
  const names = Array.from({ length: 9000 }, (_, at) => `folder-${at % 7}/${'n'.repeat(at % 90)}-${at}`);
  for (const name of names) zip.addBuffer(Buffer.from(`content of ${name}`), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
  const archive = await openZip(path);
  const found: string[] = [];
  for await (const entry of archive.eachEntry()) {
    found.push(entry.fileName);
    if (found.length % 1000 !== 0) continue;
    assert.equal(await text(await archive.openReadStreamPromise(entry)), `content of ${entry.fileName}`);
  }
  archive.close();
  assert.deepEqual(found, names);
});

test('what is no zip file is refused', async () => {
  await using folder = await temporaryDirectory('zip-archive');
  const path = join(folder.path, 'none.zip');
  await writeFile(path, 'not a zip file, although it is long enough to be one');
  await assert.rejects(openZip(path), /End of central directory/i);
  await writeFile(path, '');
  await assert.rejects(openZip(path));
});
