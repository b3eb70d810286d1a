import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { appendFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptLine } from '../core/log-ring.ts';
import { writeFileAtomic } from '../platform/files.ts';

/** `[time, source, instance, type, text, number of the tags]`; tags are written before their first use in a file. */
type LineRecord = [at: string, source: string, instance: string, type: 'OUT' | 'ERR', text: string, tags: number];
type TagsRecord = { readonly tags: Record<string, string>; readonly number: number };

export type FileLimits = { readonly lines: number; readonly bytes: number };

/** The recent lines of one app on disk: the present file and the one before it. */
export class LogFile {
  readonly #path: string;
  readonly #limits: FileLimits;
  readonly #tagNumbers = new Map<string, number>();
  #pending: KeptLine[] = [];
  #lines = 0;
  #bytes = 0;
  #isTorn = false;
  #isReplaced = false;
  #lastTags: { readonly tags: KeptLine['tags']; readonly number: number } | undefined;

  constructor(directory: string, app: string, limits: FileLimits) {
    this.#path = join(directory, `${app}.log`);
    this.#limits = limits;
  }

  get isDirty(): boolean {
    return this.#pending.length > 0;
  }

  /** Takes a line to be written with the next flush; when the disk can't keep up, the oldest are not written. */
  add(line: KeptLine): void {
    this.#pending.push(line);
    if (this.#pending.length > 2 * this.#limits.lines) this.#pending = this.#pending.slice(-this.#limits.lines);
  }

  /** Takes lines that stand for everything so far, from the next flush on. */
  replace(lines: readonly KeptLine[]): void {
    this.#pending = [...lines];
    this.#isReplaced = true;
  }

  /** The lines on disk, oldest first; what a crash has torn is left out. */
  load(): KeptLine[] {
    const before = parseFile(readIfExists(`${this.#path}.1`)).lines;
    const text = readIfExists(this.#path);
    const { lines, tags } = parseFile(text);
    for (const [number, one] of tags) this.#tagNumbers.set(JSON.stringify(one), number);
    this.#lines = lines.length;
    this.#bytes = text.length;
    this.#isTorn = text !== '' && !text.endsWith('\n');
    return [...before, ...lines];
  }

  /** Writes what is pending. */
  async flush(): Promise<void> {
    const lines = this.#pending;
    if (lines.length === 0) return;
    this.#pending = [];
    if (this.#isReplaced) return this.#rewrite(lines);
    if (this.#lines >= this.#limits.lines || this.#bytes >= this.#limits.bytes) await this.#rotate();
    const text = (this.#isTorn ? '\n' : '') + lines.map((line) => this.#format(line)).join('');
    this.#isTorn = false;
    await appendFile(this.#path, text, { mode: 0o600 });
    this.#lines += lines.length;
    this.#bytes += text.length;
  }

  /** Epoch ms of the last write; undefined when there is no file. */
  writtenAtMs(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
  }

  remove(): void {
    rmSync(this.#path, { force: true });
    rmSync(`${this.#path}.1`, { force: true });
  }

  async #rotate(): Promise<void> {
    if (existsSync(this.#path)) await rename(this.#path, `${this.#path}.1`);
    this.#beginFile();
  }

  /** The file before goes first: lines are rather lost by a crash in between than there twice. */
  async #rewrite(lines: readonly KeptLine[]): Promise<void> {
    this.#isReplaced = false;
    this.#beginFile();
    const text = lines.map((line) => this.#format(line)).join('');
    await writeFileAtomic(`${this.#path}.new`, text, 0o600);
    await rm(`${this.#path}.1`, { force: true });
    await rename(`${this.#path}.new`, this.#path);
    this.#lines = lines.length;
    this.#bytes = text.length;
  }

  #beginFile(): void {
    this.#tagNumbers.clear();
    this.#lastTags = undefined;
    this.#isTorn = false;
    this.#lines = 0;
    this.#bytes = 0;
  }

  #format({ atNs, source, instance, type, text, tags }: KeptLine): string {
    let head = '';
    if (this.#lastTags?.tags !== tags) {
      const key = JSON.stringify(tags);
      const known = this.#tagNumbers.get(key);
      const number = known ?? this.#tagNumbers.size;
      this.#tagNumbers.set(key, number);
      this.#lastTags = { tags, number };
      if (known === undefined) head = `{"number":${number},"tags":${key}}\n`;
    }
    const record: LineRecord = [String(atNs), source, instance, type, text, this.#lastTags.number];
    return `${head}${JSON.stringify(record)}\n`;
  }
}

function readIfExists(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function parseFile(text: string): { lines: KeptLine[]; tags: Map<number, Record<string, string>> } {
  const tags = new Map<number, Record<string, string>>();
  const lines: KeptLine[] = [];
  for (const one of text.split('\n')) {
    const record = parseRecord(one);
    if (!record) continue;
    if (!Array.isArray(record)) {
      tags.set(record.number, record.tags);
      continue;
    }
    const [at, source, instance, type, said, number] = record;
    lines.push({ atNs: BigInt(at), source, instance, type, text: said, tags: tags.get(number) ?? {} });
  }
  return { lines, tags };
}

function parseRecord(text: string): LineRecord | TagsRecord | undefined {
  try {
    return text === '' ? undefined : (JSON.parse(text) as LineRecord | TagsRecord);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
