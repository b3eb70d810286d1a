import type { Readable } from 'node:stream';

export type BlobInfo = { readonly key: string; readonly bytes: number; readonly sha256: string; readonly sha1: string };

/**
 * Large immutable values by key (`packages/<guid>`, `droplets/<guid>`, `resources/<sha1>`, …; segments of
 * `[A-Za-z0-9._-]`). A blob is complete and durable once `put` resolves; before that it does not exist.
 */
export interface BlobStore {
  /** Stores a stream; replaces a blob of that key. Nothing is left of a stream that fails. */
  put(key: string, content: Readable): Promise<BlobInfo>;
  /** Undefined when there is none. */
  stat(key: string): Promise<BlobInfo | undefined>;
  /** Undefined when there is none. A range is in bytes, `end` inclusive. */
  get(key: string, range?: { start: number; end?: number }): Promise<Readable | undefined>;
  /** Succeeds when there is none. */
  delete(key: string): Promise<void>;
  /** Keys that begin with a prefix, in no particular order. */
  list(prefix: string): AsyncIterable<string>;
  /**
   * Can blobs be read and written now?
   *
   * @throws BlobStoreError saying why not and what to do
   */
  check(): Promise<void>;
}

/** The store can't do what was asked at present; the message says why and what to do, and holds no secret. */
export class BlobStoreError extends Error {
  override name = 'BlobStoreError';
}

/** A blob could not be stored for lack of space; the message says where. */
export class BlobStoreFullError extends BlobStoreError {
  override name = 'BlobStoreFullError';
}

/**
 * Refuses keys that could mean another place.
 *
 * @returns the key
 * @throws Error when a segment is empty, dots only, or has other characters than `[A-Za-z0-9._-]`
 */
export function checkBlobKey(key: string): string {
  const isSafe = key.split('/').every((part) => /^[A-Za-z0-9._-]{1,128}$/.test(part) && !/^\.+$/.test(part));
  if (!isSafe) throw new Error(`not a blob key: ${JSON.stringify(key)}`);
  return key;
}
