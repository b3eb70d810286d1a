import { mkdirSync, readdirSync } from 'node:fs';
import type { ClusterConfig } from '../contract/config.ts';
import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { type KeptLine, LogRing } from '../core/log-ring.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { LogFile } from './log-file.ts';

type AppLog = PayloadOf<typeof subjects.appLog>;
type Listener = (lines: readonly KeptLine[]) => void;

/** Recent lines of one app, in memory and on disk. */
type Kept = {
  readonly ring: LogRing;
  readonly file: LogFile;
  /** Tags by their text, so that equal ones are kept once. */
  readonly tags: Map<string, KeptLine['tags']>;
};

/** Bytes of lines of one app, in memory as well as in a file. */
const APP_BYTES = 4 * 1024 * 1024;
const APP_NAME = /^[A-Za-z0-9_-]{1,100}$/;

/** The recent lines of every app. In memory are those used lately; all are on disk. */
export class LogStore {
  readonly #directory: string;
  readonly #config: ClusterConfig['logyard'];
  readonly #clock: Clock;
  readonly #log: Log;
  /** In the order of their use, the latest last. */
  readonly #apps = new Map<string, Kept>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #bytes = 0;
  #flushing: Promise<void> | undefined;
  /** Lines taken in since the start. */
  taken = 0;

  constructor(given: { directory: string; config: ClusterConfig['logyard']; clock: Clock; log: Log }) {
    this.#directory = given.directory;
    this.#config = given.config;
    this.#clock = given.clock;
    this.#log = given.log;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** Takes lines in and hands them to whoever follows the app. */
  append({ app, tags, lines }: AppLog): void {
    if (!APP_NAME.test(app)) {
      this.#log.warn('refused-log-lines', { app: app.slice(0, 100) });
      return;
    }
    const kept = this.#use(app);
    const nowNs = BigInt(this.#clock.nowMs()) * 1_000_000n + 999_999n;
    const before = kept.ring.bytes;
    const shared = sharedTags(kept.tags, tags);
    const added = lines.map((line) => {
      const text = cut(line.text, this.#config.lineBytes);
      const { source, instance, type } = line;
      const stored = kept.ring.add(
        { atNs: nanoseconds(line.at, nowNs), source, instance, type, text, tags: shared },
        nowNs,
      );
      kept.file.add(stored);
      return stored;
    });
    this.#bytes += kept.ring.bytes - before;
    this.taken += added.length;
    for (const listener of this.#listeners.get(app) ?? []) listener(added);
  }

  /** The recent lines of an app; none when it never said anything. */
  ring(app: string): LogRing | undefined {
    if (!APP_NAME.test(app)) return undefined;
    if (!this.#apps.has(app) && this.#file(app).writtenAtMs() === undefined) return undefined;
    return this.#use(app).ring;
  }

  /** Lines kept of one app. */
  get linesKept(): number {
    return this.#config.linesKept;
  }

  /** Apps that had lines since then, epoch ms, sorted. */
  appsSince(sinceMs: number): string[] {
    const isRecent = (app: string) => {
      const kept = this.#apps.get(app);
      if (kept?.file.isDirty) return true;
      return (this.#file(app).writtenAtMs() ?? 0) >= sinceMs;
    };
    return this.apps().filter(isRecent).sort();
  }

  /** When lines were last written to disk, epoch ms; 0 for never. */
  writtenUntilMs(): number {
    return Math.max(0, ...this.apps().map((app) => this.#file(app).writtenAtMs() ?? 0));
  }

  /**
   * Replaces the lines of an app by what `merge` makes of them, oldest first; readers who follow are told nothing.
   *
   * @returns how many lines were added
   */
  adopt(app: string, merge: (own: readonly KeptLine[]) => readonly KeptLine[]): number {
    if (!APP_NAME.test(app)) return 0;
    const { ring, file } = this.#use(app);
    const own = ring.all();
    const merged = merge(own);
    if (merged.length === own.length) return 0;
    const tags = new Map<string, KeptLine['tags']>();
    const next = new LogRing({ lines: this.#config.linesKept, bytes: APP_BYTES });
    for (const line of merged) next.add({ ...line, tags: sharedTags(tags, line.tags) }, line.atNs);
    file.replace(next.all());
    this.#bytes += next.bytes - ring.bytes;
    this.#apps.set(app, { ring: next, file, tags });
    return merged.length - own.length;
  }

  /** Apps that have lines. */
  apps(): string[] {
    const onDisk = readdirSync(this.#directory).flatMap((name) => (name.endsWith('.log') ? [name.slice(0, -4)] : []));
    return [...new Set([...this.#apps.keys(), ...onDisk])];
  }

  /** Calls back with the lines of an app as they come. */
  follow(app: string, listener: Listener): Disposable {
    const listeners = this.#listeners.get(app) ?? new Set();
    this.#listeners.set(app, listeners.add(listener));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#listeners.get(app) === listeners) this.#listeners.delete(app);
      },
    };
  }

  get memory(): { apps: number; bytes: number; followers: number } {
    let followers = 0;
    for (const listeners of this.#listeners.values()) followers += listeners.size;
    return { apps: this.#apps.size, bytes: this.#bytes, followers };
  }

  /** Writes what is new to disk, then lets go of what memory has no room for. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Removes apps that were silent for too long. */
  removeIdle(): void {
    for (const app of this.apps()) {
      const writtenAtMs = this.#file(app).writtenAtMs() ?? this.#clock.nowMs();
      if (this.#clock.nowMs() - writtenAtMs < this.#config.idleKeptS * 1000) continue;
      this.#forget(app);
      this.#file(app).remove();
      this.#log.info('removed-idle-log', { app });
    }
  }

  async #flush(): Promise<void> {
    for (const [app, { file }] of [...this.#apps]) {
      try {
        await file.flush();
      } catch (error) {
        this.#log.error('failed-to-write-log', { app, error });
      }
    }
    for (const [app, { file }] of this.#apps) {
      if (this.#bytes <= this.#config.memoryMb * 1_048_576) break;
      if (!file.isDirty) this.#forget(app);
    }
  }

  #use(app: string): Kept {
    const known = this.#apps.get(app);
    const kept = known ?? this.#load(app);
    if (known) this.#apps.delete(app);
    this.#apps.set(app, kept);
    return kept;
  }

  #load(app: string): Kept {
    const file = this.#file(app);
    const ring = new LogRing({ lines: this.#config.linesKept, bytes: APP_BYTES });
    for (const line of file.load()) ring.add(line, line.atNs);
    this.#bytes += ring.bytes;
    return { ring, file, tags: new Map() };
  }

  #forget(app: string): void {
    this.#bytes -= this.#apps.get(app)?.ring.bytes ?? 0;
    this.#apps.delete(app);
  }

  #file(app: string): LogFile {
    return (
      this.#apps.get(app)?.file ??
      new LogFile(this.#directory, app, { lines: this.#config.linesKept, bytes: APP_BYTES })
    );
  }
}

/** The same object for equal tags. */
function sharedTags(known: Map<string, KeptLine['tags']>, tags: KeptLine['tags']): KeptLine['tags'] {
  const key = JSON.stringify(tags);
  const found = known.get(key);
  if (found) return found;
  // Instances come and go; what they leave here must not grow without end.
  if (known.size >= 100) known.clear();
  known.set(key, tags);
  return tags;
}

function nanoseconds(text: string, nowNs: bigint): bigint {
  return /^\d{1,19}$/.test(text) ? BigInt(text) : nowNs;
}

/** A line of at most so many bytes, cut between characters. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  return Buffer.from(text)
    .subarray(0, maxBytes)
    .toString('utf8')
    .replace(/\ufffd$/, '');
}
