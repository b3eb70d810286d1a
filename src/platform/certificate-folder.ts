import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { isMissing, readTextIfExists } from './files.ts';
import type { Log } from './log.ts';
import type { Paths } from './paths.ts';

const LOOK_EVERY_MS = 1000;
const KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/;

/** The routers' certificate and those that were installed beside it; one that can't be used is left out and logged. */
export class CertificateFolder {
  readonly #files: Pick<Paths, 'routerCertificate' | 'routerCertificates'>;
  readonly #log: Log;
  readonly #listeners = new Set<(paths: readonly string[]) => void>();
  readonly #timer: Disposable;
  #paths: readonly string[] = [];
  #stamp = '';

  private constructor(
    files: Pick<Paths, 'routerCertificate' | 'routerCertificates'>,
    { log, clock }: { readonly log: Log; readonly clock: Clock },
  ) {
    this.#files = files;
    this.#log = log;
    this.#timer = clock.every(LOOK_EVERY_MS, () => this.look());
  }

  /** Reads the folder and watches it. */
  static async open(
    files: Pick<Paths, 'routerCertificate' | 'routerCertificates'>,
    tools: { readonly log: Log; readonly clock: Clock },
  ): Promise<CertificateFolder> {
    const folder = new CertificateFolder(files, tools);
    await folder.look();
    return folder;
  }

  /** Files to serve, the default one first. */
  paths(): readonly string[] {
    return this.#paths;
  }

  /** Calls the listener after each change of a file or of the list. */
  onChange(listener: (paths: readonly string[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async look(): Promise<void> {
    const { routerCertificate, routerCertificates } = this.#files;
    const all = [routerCertificate, ...(await listPem(routerCertificates))];
    const stamp = (await Promise.all(all.map(stampOf))).join('\n');
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    const good: string[] = [routerCertificate];
    for (const path of all.slice(1)) {
      const fault = certificateFault((await readTextIfExists(path)) ?? '');
      if (fault === undefined) good.push(path);
      else this.#log.warn('left-out-certificate', { path, because: fault });
    }
    this.#paths = good;
    for (const listener of this.#listeners) listener(good);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}

/** Why certificate, chain and key in one PEM text can't be served; undefined when they can. */
export function certificateFault(pem: string): string | undefined {
  const key = KEY.exec(pem)?.[0];
  if (key === undefined) return 'it holds no private key, or one with a passphrase';
  try {
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? undefined : 'the key belongs to another certificate';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Paths of the PEM files in a folder, in order of their names; none when there is no folder. */
export async function listPem(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith('.pem'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${path} ${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    if (isMissing(error)) return `${path} is missing`;
    throw error;
  }
}
