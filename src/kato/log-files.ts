import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readSystemLine, type SystemLine } from '../core/system-line.ts';
import { isMissing } from '../platform/files.ts';

const CHUNK_BYTES = 262_144;

/** The logs of this node's own processes: their last lines, then those that come. */
export class LogFiles {
  readonly #folder: string;
  readonly #seen = new Map<string, { inode: number; offset: number }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Names of the logs. */
  async names(): Promise<string[]> {
    const files = await readdir(this.#folder);
    return files.filter((name) => /^[a-z_]+\.log$/.test(name)).map((name) => basename(name, '.log'));
  }

  /**
   * What was written since the last call, oldest first; at the first, what is at the end of each log. Lines that don't say when
   * they were written come with those before them.
   */
  async read(): Promise<SystemLine[]> {
    const lines: { line: SystemLine; atMs: number }[] = [];
    for (const name of await this.names()) {
      let atMs = 0;
      for (const text of await this.#readNew(name)) {
        const line = readSystemLine(name, text);
        atMs = line.atMs ?? atMs;
        lines.push({ line, atMs });
      }
    }
    return lines.sort((a, b) => a.atMs - b.atMs).map(({ line }) => line);
  }

  async #readNew(name: string): Promise<string[]> {
    try {
      await using file = await open(join(this.#folder, `${name}.log`));
      const { ino: inode, size } = await file.stat();
      const seen = this.#seen.get(name);
      const isSame = seen !== undefined && seen.inode === inode && seen.offset <= size;
      const from = Math.max(isSame ? seen.offset : 0, size - CHUNK_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      this.#seen.set(name, { inode, offset: from + end });
      const lines = buffer.subarray(0, end).toString('utf8').split('\n').filter(Boolean);
      // The first of a log that is read from its middle is cut.
      return from > 0 && from !== seen?.offset ? lines.slice(1) : lines;
    } catch (error) {
      // A log can be rotated away between the listing and the reading.
      if (isMissing(error)) return [];
      throw error;
    }
  }
}
