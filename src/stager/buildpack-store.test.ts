import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { ZipFile } from 'yazl';
import type { Clock } from '../platform/clock.ts';
import { systemClock } from '../platform/clock.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { systemRandom } from '../platform/random.ts';
import { BuildpackStore } from './buildpack-store.ts';

const signal = new AbortController().signal;

async function archive(text: string): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(text), 'bin/detect', { mtime: new Date(2020, 1, 1) });
  zip.end();
  return await buffer(zip.outputStream);
}

/** A store that keeps two archives, and a server that has any. */
async function store() {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory('buildpacks'));
  const archives = new Map<string, Buffer>();
  let downloads = 0;
  const server = createServer((request, response) => {
    downloads += 1;
    response.end(archives.get(request.url ?? ''));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  stack.defer(() => void server.close());
  const at = server.address();
  const base = typeof at === 'object' && at ? `http://127.0.0.1:${at.port}` : '';
  let nowMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => (nowMs += 60_000) };
  const buildpacks = new BuildpackStore({ builtin: '/none', folder: path, clock, random: systemRandom, most: 2 });
  const use = async (name: string, task: string) => {
    const zip = await archive(name);
    archives.set(`/${name}`, zip);
    const sha256 = createHash('sha256').update(zip).digest('hex');
    const source = { kind: 'archive' as const, url: `${base}/${name}`, sha256 };
    const folder = await buildpacks.folderOf({ key: name, name, source }, task, signal);
    return folder ?? '';
  };
  const detect = (folder: string) => readFile(join(folder, 'bin', 'detect'), 'utf8');
  const kept = async () => (await readdir(path)).length;
  return {
    path,
    buildpacks,
    use,
    detect,
    kept,
    downloads: () => downloads,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test('an archive is unpacked once, and only those that were used last are kept', async () => {
  await using world = await store();
  for (const name of ['one', 'two', 'one', 'three']) {
    assert.equal(await world.detect(await world.use(name, name)), name);
    world.buildpacks.release(name);
  }
  await world.use('four', 'four');
  world.buildpacks.release('four');
  assert.equal(world.downloads(), 4);
  await world.buildpacks.clean();
  assert.equal(await world.kept(), 2);
  await world.use('four', 'again');
  assert.equal(world.downloads(), 4, 'the newest is there still');
});

test('what a task uses stays until the task has ended', async () => {
  await using world = await store();
  const folder = await world.use('used', 'task');
  for (const name of ['a', 'b', 'c', 'd']) {
    await world.use(name, name);
    world.buildpacks.release(name);
  }
  assert.equal(await world.detect(folder), 'used');
  world.buildpacks.release('task');
  await world.use('e', 'e');
  await assert.rejects(world.detect(folder), { code: 'ENOENT' });
});

test('what a stager that was killed left half done is removed', async () => {
  await using world = await store();
  await mkdir(join(world.path, 'new-0123'));
  await writeFile(join(world.path, 'new-0123.zip'), 'half');
  await world.buildpacks.clean();
  assert.equal(await world.kept(), 0);
});
