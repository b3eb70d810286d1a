import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';

const LOOK_EVERY_MS = 500;
const CHUNK_BYTES = 256 * 1024;
const LINES_PER_MESSAGE = 200;
const LINE_BYTES = 4096;

type Position = { inode: number; offset: number };

/** Ships what the node's own processes write to their logs, line by line, from where it starts on. */
export class LogShipper implements AsyncDisposable {
  readonly #options: { bus: Bus; clock: Clock; log: Log; folder: string; node: string };
  readonly #positions = new Map<string, Position>();
  readonly #timer: Disposable;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: { bus: Bus; clock: Clock; log: Log; folder: string; node: string }) {
    this.#options = options;
    this.#timer = options.clock.every(LOOK_EVERY_MS, () => this.look());
  }

  /** Notes the ends of all logs: what was written before is not shipped. */
  async start(): Promise<void> {
    for (const file of await this.#files()) {
      const { ino, size } = await stat(file);
      this.#positions.set(file, { inode: ino, offset: size });
    }
  }

  /** Ships what is new. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#shipAll());
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    await this.look();
  }

  async #shipAll(): Promise<void> {
    for (const file of await this.#files()) {
      try {
        await this.#ship(file);
      } catch (error) {
        // A log can be rotated away between the listing and the reading.
        if (!isMissing(error)) this.#options.log.warn('failed-to-ship-log', { file, error });
      }
    }
  }

  async #ship(file: string): Promise<void> {
    await using handle = await open(file, 'r');
    const { ino, size } = await handle.stat();
    const known = this.#positions.get(file);
    const isSame = known !== undefined && known.inode === ino && known.offset <= size;
    const position = isSame ? known : { inode: ino, offset: 0 };
    this.#positions.set(file, position);
    while (position.offset < size) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, position.offset);
      if (bytesRead === 0) return;
      // Only whole lines are taken; one that fills the chunk is taken as it is.
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1 || (bytesRead === CHUNK_BYTES ? bytesRead : 0);
      if (end === 0) return;
      position.offset += end;
      this.#send(basename(file, '.log'), buffer.subarray(0, end).toString('utf8').split('\n').filter(Boolean));
    }
  }

  #send(process: string, lines: readonly string[]): void {
    const { bus, node } = this.#options;
    for (let at = 0; at < lines.length; at += LINES_PER_MESSAGE) {
      const some = lines.slice(at, at + LINES_PER_MESSAGE).map((line) => line.slice(0, LINE_BYTES));
      bus.publish(subjects.systemLog, [process], { node, process, lines: some });
    }
  }

  async #files(): Promise<string[]> {
    const names = await readdir(this.#options.folder);
    return names.filter((name) => /^[a-z_]+\.log$/.test(name)).map((name) => join(this.#options.folder, name));
  }
}
