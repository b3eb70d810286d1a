import { createHash } from 'node:crypto';
import { chown, lchown, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerEngine } from '../container/container.ts';
import { appHome } from '../core/launch-command.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Digest, DownloadError, download } from './download.ts';
import type { StartMessage } from './instance.ts';
import { unpackDroplet } from './unpack.ts';

const PREFIX = 'droplet-';
/** How long an image that no instance uses is kept for the next start. */
const UNUSED_KEPT_MS = 600_000;

/** Where instances get their root file system from. */
export interface DropletStore {
  open(): Promise<void>;
  /**
   * Has the image of a droplet ready, and gives its key.
   *
   * @throws DownloadError, UnpackError or ContainerError
   */
  prepare(message: StartMessage, signal?: AbortSignal): Promise<string>;
  /** Removes images that no instance was made from lately; those in `used` stay. */
  removeUnused(used: ReadonlySet<string>): Promise<void>;
}

/** Droplets of this DEA: each is downloaded and unpacked once, as an image of which every instance is a snapshot. */
export class Droplets implements DropletStore {
  readonly #engine: ContainerEngine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #directory: string;
  readonly #lastUsedMs = new Map<string, number>();

  constructor(given: { engine: ContainerEngine; clock: Clock; log: Log; directory: string }) {
    this.#engine = given.engine;
    this.#clock = given.clock;
    this.#log = given.log;
    this.#directory = join(given.directory, 'droplets');
  }

  /** Removes half downloaded archives of a predecessor. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) await rm(join(this.#directory, name), { force: true });
  }

  async prepare(message: StartMessage, signal?: AbortSignal): Promise<string> {
    const key = imageKeyOf(message);
    this.#lastUsedMs.set(key, this.#clock.nowMs());
    if (await this.#engine.hasImage(key)) return key;
    // Not cancelled with the instance that began it: others may wait for the same image.
    const stack = message.stack || 'stackato';
    const work = this.#engine.prepareImage({ key, stack }, (root) => this.#fill(message, root));
    await unlessAborted(work, signal);
    return key;
  }

  async removeUnused(used: ReadonlySet<string>): Promise<void> {
    const nowMs = this.#clock.nowMs();
    for (const key of await this.#engine.listImages()) {
      if (!key.startsWith(PREFIX)) continue;
      if (used.has(key) || !this.#lastUsedMs.has(key)) this.#lastUsedMs.set(key, nowMs);
      if (nowMs - (this.#lastUsedMs.get(key) ?? nowMs) < UNUSED_KEPT_MS) continue;
      await this.#engine.removeImage(key);
      this.#lastUsedMs.delete(key);
      this.#log.info('removed-droplet', { key });
    }
  }

  async #fill(message: StartMessage, root: string): Promise<void> {
    const { executableUri } = message;
    if (!executableUri) throw new DownloadError('the droplet has no URL; push or restage the app');
    const archive = join(this.#directory, `${imageKeyOf(message)}.tgz`);
    const clock = this.#clock;
    const startedMs = clock.nowMs();
    try {
      await download({ url: executableUri, path: archive, digest: digestOf(message), clock });
      const { size } = await stat(archive);
      const directory = join(root, appHome.root);
      const uid = this.#engine.idOffset + appHome.uid;
      const gid = this.#engine.idOffset + appHome.gid;
      await mkdir(directory, { recursive: true });
      await chown(directory, uid, gid);
      const maxBytes = message.limits.disk * 1_048_576;
      await unpackDroplet({ archive, directory, uid, gid, maxBytes });
      for (const name of ['app', 'tmp', 'logs', 'deps']) await ensureFolder(join(directory, name), uid, gid);
      const ms = clock.nowMs() - startedMs;
      this.#log.info('prepared-droplet', { droplet: message.droplet, bytes: size, ms });
    } finally {
      await rm(archive, { force: true });
    }
  }
}

/** The result of a work that goes on when the signal ends the wait for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Makes a folder that the archive may have brought already, as whatever. */
async function ensureFolder(path: string, uid: number, gid: number): Promise<void> {
  try {
    await mkdir(path, 0o755);
    await lchown(path, uid, gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The key of the image made from a droplet on a stack. */
export function imageKeyOf(message: StartMessage): string {
  const { hex } = digestOf(message);
  const stack = createHash('sha256')
    .update(message.stack || 'stackato')
    .digest('hex')
    .slice(0, 8);
  return `${PREFIX}${hex.slice(0, 40)}-${stack}`;
}

function digestOf(message: StartMessage): Digest {
  if (message.x) return { algorithm: 'sha256', hex: message.x.sha256.toLowerCase() };
  if (message.sha1) return { algorithm: 'sha1', hex: message.sha1.toLowerCase() };
  throw new DownloadError('the droplet has no digest; restage the app');
}
