import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OutputCursor } from '../container/container.ts';
import { isMissing } from '../platform/files.ts';

const WIDTH = 512;

/**
 * How far each instance's output was delivered, one small file each, written in place after every batch. Synchronous:
 * a few microseconds, and nothing is between a delivered line and its note.
 */
export class Cursors {
  readonly #directory: string;
  readonly #open = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = join(directory, 'cursors');
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  write(instance: string, cursor: OutputCursor): void {
    let file = this.#open.get(instance);
    if (file === undefined) {
      file = openSync(join(this.#directory, instance), 'w', 0o600);
      this.#open.set(instance, file);
    }
    writeSync(file, JSON.stringify(cursor).padEnd(WIDTH), 0);
  }

  /** Undefined when nothing of this instance was delivered yet. */
  read(instance: string): OutputCursor | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#directory, instance), 'utf8')) as OutputCursor;
    } catch (error) {
      // A file that was cut short by a crash is as good as none: lines are said again rather than lost.
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  remove(instance: string): void {
    const file = this.#open.get(instance);
    if (file !== undefined) closeSync(file);
    this.#open.delete(instance);
    rmSync(join(this.#directory, instance), { force: true });
  }

  /** Removes the notes of instances that are no more. */
  keepOnly(isKnown: (instance: string) => boolean): void {
    for (const name of readdirSync(this.#directory)) if (!isKnown(name)) this.remove(name);
  }

  [Symbol.dispose](): void {
    for (const file of this.#open.values()) closeSync(file);
    this.#open.clear();
  }
}
