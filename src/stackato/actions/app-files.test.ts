import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { openPromise } from 'yauzl';
import { listAppFiles } from './app-files.ts';
import { hashFiles, writeZip } from './package-zip.ts';

async function folder(files: Readonly<Record<string, string>>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'stackato-files-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    if (content.startsWith('-> ')) await symlink(content.slice(3), join(path, name));
    else await writeFile(join(path, name), content);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
const never = new AbortController().signal;

async function zipped(path: string, ignores: readonly string[] = []) {
  const { files } = await listAppFiles(path, ignores);
  await using out = await folder({});
  const zip = join(out.path, 'a.zip');
  await writeZip(zip, files, never);
  const entries = new Map<string, { mode: number; content: string }>();
  const archive = await openPromise(zip);
  for await (const entry of archive.eachEntry()) {
    const content = entry.fileName.endsWith('/') ? '' : await text(await archive.openReadStreamPromise(entry));
    entries.set(entry.fileName, { mode: entry.externalFileAttributes >>> 16, content });
  }
  return entries;
}

test('odd names, modes, links and empty folders survive', async () => {
  await using app = await folder({
    'with space.txt': 'a',
    'new\nline.txt': 'b',
    'ünï/日本.txt': 'c',
    run: '#!/bin/sh',
    'sub/link': '-> ../run',
    dangling: '-> nothing',
  });
  await chmod(join(app.path, 'run'), 0o755);
  await mkdir(join(app.path, 'empty'));
  const entries = await zipped(app.path);
  assert.deepEqual(
    [...entries.keys()].sort(),
    ['dangling', 'empty/', 'new\nline.txt', 'run', 'sub/link', 'with space.txt', 'ünï/日本.txt'].sort(),
  );
  assert.equal((entries.get('run')?.mode ?? 0) & 0o777, 0o755);
  assert.deepEqual(entries.get('sub/link'), { mode: 0o120777, content: '../run' });
  assert.equal(entries.get('ünï/日本.txt')?.content, 'c');
});

test('links in a circle are kept and not followed; links to the outside are left out, which is said', async () => {
  await using app = await folder({
    'a/loop': '-> ..',
    'b/self': '-> self',
    file: 'x',
    'a/out': '-> ../../secret',
    root: '-> /etc/passwd',
  });
  const { files, notes } = await listAppFiles(app.path, []);
  assert.deepEqual(
    files.map(({ path }) => path),
    ['a/loop', 'b/self', 'file'],
  );
  assert.equal(notes.length, 2);
  assert.match(notes.join('\n'), /a\/out is left out: it is a link to \.\.\/\.\.\/secret/);
});

test('ignore files are obeyed, defaults left out, and `!` takes them back', async () => {
  await using app = await folder({
    '.cfignore': '*.log\nbuild/\n!keep.log\n!.gitignore\n',
    '.stackatoignore': 'secret\n',
    '.gitignore': 'x',
    '.git/config': 'x',
    'manifest.yml': 'x',
    'sub/manifest.yml': 'x',
    'a.log': 'x',
    'keep.log': 'x',
    'build/out': 'x',
    secret: 'x',
    'tmp/y': 'x',
    main: 'x',
  });
  const { files } = await listAppFiles(app.path, ['tmp/']);
  assert.deepEqual(
    files.map(({ path }) => path),
    ['.gitignore', 'keep.log', 'main', 'sub/manifest.yml'],
  );
});

test('nothing to push, also when all is ignored, is an error', async () => {
  await using app = await folder({ '.cfignore': '*', file: 'x' });
  await assert.rejects(listAppFiles(app.path, []), /There is nothing to push in/);
});

test('a name that can not be in a zip is named', async () => {
  await using app = await folder({ 'back\\slash': 'x' });
  await assert.rejects(listAppFiles(app.path, []), /"back\\\\slash" can't be uploaded/);
});

test('sockets are left out, which is said', async () => {
  await using app = await folder({ file: 'x' });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(app.path, 'sock'), resolve));
  const { files, notes } = await listAppFiles(app.path, []);
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(
    files.map(({ path }) => path),
    ['file'],
  );
  assert.match(notes[0] ?? '', /sock is left out/);
});

test('a file that goes away while it is packed is an error that names it', async () => {
  await using app = await folder({ 'a.txt': 'a', 'gone.txt': 'b' });
  const { files } = await listAppFiles(app.path, []);
  await rm(join(app.path, 'gone.txt'));
  await using out = await folder({});
  await assert.rejects(writeZip(join(out.path, 'a.zip'), files, never), /A file of the app can't be read: .*gone\.txt/);
  const gone = files.filter((file) => file.kind === 'file');
  await assert.rejects(
    hashFiles(gone, () => undefined),
    /gone\.txt/,
  );
});

test('10,000 files are listed, hashed and packed', async () => {
  await using app = await folder({});
  for (let at = 0; at < 100; at++) {
    await mkdir(join(app.path, `d${at}`));
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => writeFile(join(app.path, `d${at}`, `f${n}`), `${at} ${n}`)),
    );
  }
  const { files } = await listAppFiles(app.path, []);
  assert.equal(files.length, 10_000);
  const plain = files.filter((file) => file.kind === 'file');
  const sums = await hashFiles(plain, () => undefined);
  assert.equal(new Set(sums).size, 10_000);
  await using out = await folder({});
  assert.ok((await writeZip(join(out.path, 'a.zip'), files, never)) > 10_000 * 100);
});
