import { createHash } from 'node:crypto';
import { resourceSizes } from '../core/resource-match.ts';
import type { Controller } from './api/controller.ts';
import { type ArchiveEntry, type ArchiveLimits, openArchive } from './package-archive.ts';
import { findResources, forgetOldResources, saveResource, touchResources } from './store/resource-match.ts';

/** A push asks which files are there and then uploads the others: until then what it was promised stays, s. */
const PROMISED_S = 1800;
const BATCH = 100;
const MB = 1024 * 1024;

type PackageArchive = { readonly path: string; readonly limits: ArchiveLimits; readonly packageGuid: string };

/** Fills the cache after uploads are answered: it only saves later ones, a package is complete without it. */
export class ResourceCache {
  readonly #controller: Controller;
  readonly #filling = new Set<Promise<void>>();

  constructor(controller: Controller) {
    this.#controller = controller;
  }

  /** Keeps the files of a package's archive that are worth it; resolves when the archive is no longer needed. */
  keep(archive: PackageArchive): Promise<void> {
    const filling = this.#fill(archive).finally(() => this.#filling.delete(filling));
    this.#filling.add(filling);
    return filling;
  }

  /** Resolves when nothing is being kept. */
  async idle(): Promise<void> {
    while (this.#filling.size > 0) await Promise.all(this.#filling);
  }

  async #fill({ path, limits, packageGuid }: PackageArchive): Promise<void> {
    try {
      using archive = await openArchive(path, limits);
      await cacheResources(this.#controller, archive.entries);
    } catch (error) {
      this.#controller.log.warn('failed-to-cache-resources', { packageGuid, error });
    }
  }
}

async function cacheResources(controller: Controller, entries: readonly ArchiveEntry[]): Promise<void> {
  const { db, config } = controller;
  const limitBytes = config.controller.resourceCacheMb * MB;
  const worth = entries.filter(
    ({ kind, bytes }) =>
      kind === 'file' && bytes >= resourceSizes.least && bytes <= Math.min(resourceSizes.most, limitBytes),
  );
  for (let at = 0; at < worth.length; at += BATCH) {
    const summed = new Map<string, ArchiveEntry>();
    for (const entry of worth.slice(at, at + BATCH)) summed.set(await sha1Of(entry), entry);
    const known = await findResources(db, [...summed.keys()]);
    await touchResources(db, [...known.keys()]);
    for (const [sha1, entry] of summed) if (!known.has(sha1)) await keep(controller, sha1, entry);
  }
  await pruneResources(controller);
}

/** Removes what was not used for longest, until the cache is within its limit again. */
export async function pruneResources({ db, blobs, config, log }: Controller): Promise<void> {
  const bytes = config.controller.resourceCacheMb * MB;
  const forgotten = await forgetOldResources(db, { bytes, keptS: PROMISED_S });
  // Whoever was promised one for longer finds it gone, and uploads it.
  for (const sha1 of forgotten) await blobs.delete(`resources/${sha1}`);
  if (forgotten.length > 0) log.info('pruned-resources', { files: forgotten.length, limitBytes: bytes });
}

async function keep({ db, blobs }: Controller, sha1: string, entry: ArchiveEntry): Promise<void> {
  const stored = await blobs.put(`resources/${sha1}`, await entry.read());
  if (stored.sha1 !== sha1) throw new Error(`'${entry.path}' changed while it was read`);
  await saveResource(db, { sha1, bytes: stored.bytes });
}

async function sha1Of(entry: ArchiveEntry): Promise<string> {
  const hash = createHash('sha1');
  for await (const chunk of (await entry.read()) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}
