import assert from 'node:assert/strict';
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { LogFiles } from './log-files.ts';

const at = (time: string, msg: string) => `{"level":"info","time":"2026-11-21T10:00:${time}.000Z","msg":"${msg}"}\n`;

test('the ends of all logs in the order of their times, then what comes, whole lines only, over a rotation too', async () => {
  await using folder = await temporaryDirectory('log-files-test');
  const [dea, nats] = [join(folder.path, 'dea.log'), join(folder.path, 'nats.log')];
  await writeFile(dea, at('01', 'first') + at('03', 'third'));
  await writeFile(nats, '2026/11/21 10:00:02 second\n  of two lines\n');
  await writeFile(join(folder.path, 'dea.log.1'), at('00', 'old'));
  const files = new LogFiles(folder.path);
  const read = async () => (await files.read()).map(({ process, text }) => `${process} ${text}`);
  const begin = ['dea first', 'nats 2026/11/21 10:00:02 second', 'nats   of two lines', 'dea third'];
  assert.deepEqual(await read(), begin);
  assert.deepEqual(await read(), []);
  await appendFile(dea, `${at('04', 'fourth')}{"msg":"not yet`);
  assert.deepEqual(await read(), ['dea fourth']);
  await appendFile(dea, ' whole"}\n');
  assert.deepEqual(await read(), ['dea not yet whole']);
  await rename(dea, join(folder.path, 'dea.log.1'));
  await writeFile(dea, at('05', 'fifth'));
  assert.deepEqual(await read(), ['dea fifth']);
});

test('of a long log its end, from a whole line on', async () => {
  await using folder = await temporaryDirectory('log-files-test');
  const lines = Array.from({ length: 6000 }, (_, index) => `line ${index} ${'x'.repeat(60)}\n`);
  await writeFile(join(folder.path, 'nats.log'), lines.join(''));
  const read = await new LogFiles(folder.path).read();
  assert.ok(read.length > 3000 && read.length < 6000);
  assert.ok(read.every(({ text }) => text.startsWith('line ')));
  assert.match(read.at(-1)?.text ?? '', /^line 5999 /);
});
