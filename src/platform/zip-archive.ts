import { read as readFile } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { fromRandomAccessReaderPromise, type Options, RandomAccessReader, type ZipFile } from 'yauzl';

const WINDOW_BYTES = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

/**
 * Opens a zip file for reading, to be closed by the caller. Its table of contents is read in large pieces: the
 * library alone makes two small reads for each entry, which take seconds for 100,000 of them.
 *
 * @throws Error when it is no zip file, or the file can't be read
 */
export async function openZip(path: string, options: Options = {}): Promise<ZipFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    // Closed by us alone: a stream that is still open when the last entry was read must not lose its file.
    return await fromRandomAccessReaderPromise(new WindowReader(file), size, {
      ...options,
      lazyEntries: true,
      autoClose: false,
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

class WindowReader extends RandomAccessReader {
  readonly #file: FileHandle;
  #window: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    // Not a stream of the file's own: destroying that would close the file.
    return Readable.from(this.#pieces(start, end), { objectMode: false });
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const copied = this.#copy(buffer, { offset, length, position });
    if (copied === length) {
      queueMicrotask(() => done(null, length));
      return;
    }
    const window = Buffer.allocUnsafe(Math.max(WINDOW_BYTES, length));
    readFile(this.#file.fd, window, 0, window.length, position, (error, bytesRead) => {
      if (error) return done(error);
      this.#window = window.subarray(0, bytesRead);
      this.#at = position;
      done(null, this.#copy(buffer, { offset, length, position }));
    });
  }

  override close(done: (error: Error | null) => void): void {
    this.#file.close().then(
      () => done(null),
      (error: Error) => done(error),
    );
  }

  async *#pieces(start: number, end: number): AsyncIterable<Buffer> {
    for (let at = start; at < end; ) {
      const length = Math.min(PIECE_BYTES, end - at);
      const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  #copy(into: Buffer, { offset, length, position }: { offset: number; length: number; position: number }): number {
    const start = position - this.#at;
    if (start < 0 || start >= this.#window.length) return 0;
    return this.#window.copy(into, offset, start, Math.min(start + length, this.#window.length));
  }
}
