import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream, type Stats } from 'node:fs';
import { access, type FileHandle, mkdir, open, opendir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import type { Static } from 'typebox';
import { decode } from '../contract/decode.ts';
import { isMissing, writeFileAtomic } from '../platform/files.ts';
import { type BlobInfo, type BlobStore, BlobStoreError, BlobStoreFullError, checkBlobKey } from './blobstore.ts';
import { Description } from './description.ts';

const INCOMING = '.incoming';
/** Longer than any upload takes; a younger leftover may still be written by another controller. */
const LEFTOVER_MS = 24 * 3_600_000;

/**
 * Blobs as files below a folder. Content is written beside the store, synced, and renamed into place, so that a blob
 * is whole or absent after any crash; its checksums are in a file beside it, and are computed again when that is lost.
 */
export async function diskBlobStore(root: string): Promise<BlobStore> {
  const incoming = join(root, INCOMING);
  try {
    await mkdir(incoming, { recursive: true });
  } catch (error) {
    throw new BlobStoreError(`the blob store's folder ${root} can't be used (${codeOf(error)}); is it mounted?`, {
      cause: error,
    });
  }
  await removeLeftovers(incoming);
  const fileOf = (key: string) => join(root, checkBlobKey(key));

  return {
    put: async (key, content) => {
      const path = fileOf(key);
      const temporary = join(incoming, randomBytes(12).toString('hex'));
      try {
        const sums = await writeStream(temporary, content);
        const identity = identityOf(await stat(temporary));
        await mkdir(dirname(path), { recursive: true });
        await rename(temporary, path);
        // Its folder is synced with it.
        await writeFileAtomic(descriptionOf(path), JSON.stringify({ ...sums, identity }));
        return { key, ...sums };
      } catch (error) {
        await rm(temporary, { force: true });
        throw asStoreError(error, root);
      }
    },
    stat: async (key) => {
      const sums = await describe(fileOf(key));
      return sums && { key, ...sums };
    },
    get: async (key, range) => {
      let handle: FileHandle;
      try {
        handle = await open(fileOf(key), 'r');
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      return handle.createReadStream(
        range ? { start: range.start, ...(range.end === undefined ? {} : { end: range.end }) } : {},
      );
    },
    delete: async (key) => {
      const path = fileOf(key);
      await rm(descriptionOf(path), { force: true });
      await rm(path, { force: true });
    },
    list: (prefix) => listKeys(root, prefix),
    check: async () => {
      try {
        await access(incoming, constants.R_OK | constants.W_OK | constants.X_OK);
      } catch (error) {
        throw new BlobStoreError(`the blob store's folder ${root} can't be used (${codeOf(error)}); is it mounted?`, {
          cause: error,
        });
      }
    },
  };
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error));
const descriptionOf = (path: string) => join(dirname(path), `.${path.slice(dirname(path).length + 1)}.json`);

type Sums = Omit<BlobInfo, 'key'>;

async function writeStream(path: string, content: Readable): Promise<Sums> {
  const sha256 = createHash('sha256');
  const sha1 = createHash('sha1');
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      sha256.update(chunk);
      sha1.update(chunk);
      await writeAll(file, chunk);
      bytes += chunk.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: sha256.digest('hex'), sha1: sha1.digest('hex') };
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  let done = 0;
  while (done < chunk.length) done += (await file.write(chunk, done)).bytesWritten;
}

async function describe(path: string): Promise<Sums | undefined> {
  try {
    const info = await stat(path);
    if (!info.isFile()) return undefined;
    const said = await readDescription(path);
    const identity = identityOf(info);
    if (said?.identity === identity) return { bytes: said.bytes, sha256: said.sha256, sha1: said.sha1 };
    const sums = await computeSums(path);
    await writeFileAtomic(descriptionOf(path), JSON.stringify({ ...sums, identity }));
    return sums;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Tells a file from another one of that name, so that no content gets the checksums of another. */
const identityOf = (info: Stats) => `${info.ino}-${info.size}-${Math.floor(info.mtimeMs)}`;

async function readDescription(path: string): Promise<Static<typeof Description> | undefined> {
  try {
    return decode(Description, JSON.parse(await readFile(descriptionOf(path), 'utf8')), descriptionOf(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function computeSums(path: string): Promise<Sums> {
  const sha256 = createHash('sha256');
  const sha1 = createHash('sha1');
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    sha256.update(chunk);
    sha1.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: sha256.digest('hex'), sha1: sha1.digest('hex') };
}

async function* listKeys(root: string, prefix: string): AsyncIterable<string> {
  const slash = prefix.lastIndexOf('/');
  const folder = join(root, slash < 0 ? '' : prefix.slice(0, slash));
  try {
    for await (const entry of await opendir(folder, { recursive: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      const key = relative(root, join(entry.parentPath, entry.name));
      if (!key.startsWith(INCOMING) && key.startsWith(prefix)) yield key;
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function removeLeftovers(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    if (Date.now() - (await stat(path)).mtimeMs > LEFTOVER_MS) await rm(path, { force: true });
  }
}

function asStoreError(error: unknown, root: string): unknown {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) {
    return new BlobStoreFullError(`the blob store's disk is full (${root}); free some space and try again`, {
      cause: error,
    });
  }
  return error;
}
