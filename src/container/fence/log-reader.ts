import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isMissing } from '../../platform/files.ts';
import type { OutputCursor, OutputLine } from '../container.ts';
import { LogParser } from './log-lines.ts';

const CHUNK_BYTES = 64 * 1024;

export type ReadOptions = {
  readonly from?: OutputCursor;
  readonly signal?: AbortSignal;
  readonly onCursor?: (cursor: OutputCursor) => void;
};

/**
 * Follows a log file that is replaced by an empty one when it is full, until `ended` has resolved and all is read.
 * The open file is read to its end before the next one is taken, so nothing is lost unless the reader falls a whole
 * file behind.
 */
export async function* readLog(
  path: string,
  ended: Promise<unknown>,
  options: ReadOptions,
): AsyncIterable<OutputLine[]> {
  let wake = Promise.withResolvers<void>();
  let hasEnded = false;
  const tell = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const watcher = watch(dirname(path), (_event, name) => name?.startsWith(basename(path)) && tell());
  const onEnd = () => {
    hasEnded = true;
    tell();
  };
  ended.then(onEnd, onEnd);
  options.signal?.addEventListener('abort', tell, { once: true });
  let file: OpenLog | undefined;
  try {
    while (!options.signal?.aborted) {
      const { promise } = wake;
      const isLast = hasEnded;
      file ??= await openLog(path, options.from);
      const before = file?.offset ?? 0;
      if (file) yield* drain(file, options);
      if (file && (await isReplaced(path, file))) {
        yield* drain(file, options);
        yield* nonEmpty(file.parser.end());
        await file.handle.close();
        file = undefined;
        continue;
      }
      if (isLast && (file?.offset ?? 0) === before) break;
      if (!isLast && !hasEnded) await promise;
    }
    if (file && !options.signal?.aborted) yield* nonEmpty(file.parser.end());
  } finally {
    watcher.close();
    options.signal?.removeEventListener('abort', tell);
    await file?.handle.close();
  }
}

type OpenLog = { readonly handle: FileHandle; readonly name: string; offset: number; readonly parser: LogParser };

async function openLog(path: string, from: OutputCursor | undefined): Promise<OpenLog | undefined> {
  try {
    const handle = await open(path, 'r');
    const name = nameOf(await handle.stat());
    return { handle, name, offset: from?.file === name ? from.offset : 0, parser: new LogParser() };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function isReplaced(path: string, file: OpenLog): Promise<boolean> {
  try {
    return nameOf(await stat(path)) !== file.name;
  } catch (error) {
    // Between two files, or the container was destroyed: the open one is all there is.
    if (isMissing(error)) return false;
    throw error;
  }
}

async function* drain(file: OpenLog, options: ReadOptions): AsyncIterable<OutputLine[]> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  while (!options.signal?.aborted) {
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, file.offset);
    if (bytesRead === 0) return;
    file.offset += bytesRead;
    yield* nonEmpty(file.parser.push(buffer.subarray(0, bytesRead)));
    // A cursor in the middle of a line would lose its beginning.
    if (!file.parser.hasPending) options.onCursor?.({ file: file.name, offset: file.offset - file.parser.restBytes });
  }
}

const nonEmpty = (lines: OutputLine[]) => (lines.length > 0 ? [lines] : []);

/** Numbers of removed files are used again, so the time of making belongs to it. */
const nameOf = (file: { ino: number; birthtimeMs: number }) => `${file.ino}.${Math.floor(file.birthtimeMs)}`;
