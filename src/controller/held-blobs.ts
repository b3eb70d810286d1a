import type { BlobStore } from '../blobstore/blobstore.ts';
import type { Clock } from '../platform/clock.ts';
import { isDatabaseAway } from '../platform/db.ts';
import type { Log } from '../platform/log.ts';
import type { ControllerDb } from './api/controller.ts';
import { areBlobsHeld, forgetBlobDeletion, listBlobDeletions, noteBlobDeletion } from './store/blob-hold.ts';

const SWEEP_MS = 30_000;
const BATCH = 1000;

/**
 * A blob store whose blobs outlive their deletion while an export holds them: the deletion is noted and done later.
 * Whoever holds them first and looks at the database then finds every blob that its rows speak of.
 */
export function heldBlobs(blobs: BlobStore, db: ControllerDb): BlobStore {
  return {
    ...blobs,
    put: async (key, content) => {
      const stored = await blobs.put(key, content);
      await forgetBlobDeletion(db, key);
      return stored;
    },
    delete: async (key) => {
      if (await areBlobsHeld(db)) await noteBlobDeletion(db, key);
      else await blobs.delete(key);
    },
  };
}

/** Deletes what was noted, whenever nothing holds the blobs; until disposed. */
export function sweepBlobs(options: { blobs: BlobStore; db: ControllerDb; clock: Clock; log: Log }): Disposable {
  const { clock, log } = options;
  return clock.every(SWEEP_MS, async () => {
    try {
      const deleted = await sweepBlobsNow(options);
      if (deleted > 0) log.info('deleted-held-blobs', { blobs: deleted });
    } catch (error) {
      if (!isDatabaseAway(error)) log.warn('failed-to-delete-held-blobs', { error });
    }
  });
}

/** Deletes what was noted unless something holds the blobs; gives how many. */
export async function sweepBlobsNow({ blobs, db }: { blobs: BlobStore; db: ControllerDb }): Promise<number> {
  let deleted = 0;
  while (!(await areBlobsHeld(db))) {
    const keys = await listBlobDeletions(db, BATCH);
    if (keys.length === 0) break;
    for (const key of keys) {
      await blobs.delete(key);
      await forgetBlobDeletion(db, key);
    }
    deleted += keys.length;
  }
  return deleted;
}
