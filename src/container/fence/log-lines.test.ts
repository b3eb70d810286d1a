import assert from 'node:assert/strict';
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../platform/files.ts';
import type { OutputLine } from '../container.ts';
import { LogParser } from './log-lines.ts';
import { readLog } from './log-reader.ts';
import { parseResolvers } from './resolver.ts';

const TIME = '2026-01-02T03:04:05.123456789+00:00';
const entry = (text: string, stream = 'stdout', tag = 'F') => `${TIME} ${stream} ${tag} ${text}\n`;

test('an entry is a line with its time and stream', () => {
  const parser = new LogParser();
  assert.deepEqual(parser.push(Buffer.from(entry('hello: ü', 'stderr'))), [
    { stream: 'stderr', text: 'hello: ü', atNs: 1_767_323_045_123_456_789n },
  ]);
});

test('times with an offset are the same moment', () => {
  const parser = new LogParser();
  const [line] = parser.push(Buffer.from('2026-01-02T05:04:05.000000001+02:00 stdout F x\n'));
  assert.equal(line?.atNs, 1_767_323_045_000_000_001n);
});

test('pieces of a line are put together, per stream', () => {
  const parser = new LogParser();
  const text = entry('a', 'stdout', 'P') + entry('x', 'stderr', 'P') + entry('b') + entry('y', 'stderr');
  assert.deepEqual(
    parser.push(Buffer.from(text)).map((line) => `${line.stream} ${line.text}`),
    ['stdout ab', 'stderr xy'],
  );
  parser.push(Buffer.from(entry('unended', 'stdout', 'P')));
  assert.deepEqual(
    parser.end().map((line) => line.text),
    ['unended'],
  );
});

test('a line without end is handed on in pieces', () => {
  const parser = new LogParser();
  const piece = entry('x'.repeat(8192), 'stdout', 'P');
  const lines = parser.push(Buffer.from(piece.repeat(20)));
  assert.deepEqual(
    lines.map((line) => line.text.length),
    [65_536, 65_536],
  );
});

test('it does not matter where the file was cut for reading', () => {
  const line = fc.tuple(
    fc.constantFrom('stdout', 'stderr'),
    fc.string().map((s) => s.replaceAll('\n', ' ')),
  );
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 1, max: 40 }), (lines, size) => {
      const data = Buffer.from(lines.map(([stream, text]) => entry(text, stream)).join(''));
      const parser = new LogParser();
      const read: string[] = [];
      for (let at = 0; at < data.length; at += size) {
        read.push(...parser.push(data.subarray(at, at + size)).map(({ stream, text }) => `${stream} ${text}`));
      }
      assert.deepEqual(
        read,
        lines.map(([stream, text]) => `${stream} ${text}`),
      );
    }),
  );
});

test('a log that is replaced while it is read loses nothing', async () => {
  await using folder = await temporaryDirectory('log');
  const path = join(folder.path, 'output.log');
  await writeFile(path, entry('1') + entry('2'));
  const ended = Promise.withResolvers<void>();
  const read: string[] = [];
  let cursor: { file: string; offset: number } | undefined;
  const next = async (batch: OutputLine[]) => {
    read.push(...batch.map((line) => line.text));
    if (read.length === 2) {
      await appendFile(path, entry('3'));
      await writeFile(`${path}.tmp`, entry('4'));
      await rename(`${path}.tmp`, path);
    } else if (read.includes('4')) ended.resolve();
  };
  const signal = AbortSignal.timeout(20_000);
  for await (const batch of readLog(path, ended.promise, { signal, onCursor: (at) => (cursor = at) }))
    await next(batch);
  assert.deepEqual(read, ['1', '2', '3', '4']);
  await appendFile(path, entry('5'));
  const rest: string[] = [];
  for await (const batch of readLog(path, Promise.resolve(), { signal, ...(cursor ? { from: cursor } : {}) })) {
    rest.push(...batch.map((line) => line.text));
  }
  assert.deepEqual(rest, ['5']);
});

test('resolvers of the machine itself are passed over', () => {
  assert.deepEqual(parseResolvers('nameserver 127.0.0.53\noptions edns0\n').servers, []);
  assert.deepEqual(parseResolvers('# x\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.b\n'), {
    servers: ['10.0.0.1'],
    text: 'nameserver 10.0.0.1\nsearch a.b\n',
  });
});
