import { createHash } from 'node:crypto';
import { resourceSizes } from '../core/resource-match.ts';
import type { Controller } from './api/controller.ts';
import type { ArchiveEntry } from './package-archive.ts';
import { findResources, saveResource } from './store/resource-match.ts';

/** Keeps the files of an archive that are worth it, so that the next push need not upload them. */
export async function cacheResources(controller: Controller, entries: readonly ArchiveEntry[]): Promise<void> {
  const { db, blobs } = controller;
  const worth = entries.filter(
    ({ kind, bytes }) => kind === 'file' && bytes >= resourceSizes.least && bytes <= resourceSizes.most,
  );
  for (const entry of worth) {
    const sha1 = await sha1Of(entry);
    const known = await findResources(db, [sha1]);
    if (known.has(sha1)) continue;
    const stored = await blobs.put(`resources/${sha1}`, await entry.read());
    if (stored.sha1 !== sha1) throw new Error(`'${entry.path}' changed while it was read`);
    await saveResource(db, { sha1, bytes: stored.bytes });
  }
}

async function sha1Of(entry: ArchiveEntry): Promise<string> {
  const hash = createHash('sha1');
  for await (const chunk of (await entry.read()) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}
