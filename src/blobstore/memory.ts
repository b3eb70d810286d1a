import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type BlobInfo, type BlobStore, checkBlobKey } from './blobstore.ts';

/** A blob store that forgets, for tests. */
export function memoryBlobStore(): BlobStore {
  const blobs = new Map<string, { info: BlobInfo; content: Buffer }>();
  return {
    put: async (key, content) => {
      checkBlobKey(key);
      const chunks: Buffer[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      const whole = Buffer.concat(chunks);
      const hash = (name: string) => createHash(name).update(whole).digest('hex');
      const info = { key, bytes: whole.length, sha1: hash('sha1'), sha256: hash('sha256') };
      blobs.set(key, { info, content: whole });
      return info;
    },
    stat: async (key) => blobs.get(checkBlobKey(key))?.info,
    get: async (key, range) => {
      const content = blobs.get(checkBlobKey(key))?.content;
      if (content === undefined) return undefined;
      const end = range?.end === undefined ? content.length : range.end + 1;
      return Readable.from([content.subarray(range?.start ?? 0, end)]);
    },
    delete: async (key) => void blobs.delete(checkBlobKey(key)),
    list: async function* (prefix) {
      for (const key of [...blobs.keys()]) if (key.startsWith(prefix)) yield key;
    },
    check: async () => {},
  };
}
