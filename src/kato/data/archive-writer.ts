import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { BlobStore } from '../../blobstore/blobstore.ts';
import type { ArchiveIdentity, ArchiveManifest } from '../../contract/data-archive.ts';
import { encryptAge } from '../../platform/age-file.ts';
import { type TarFile, writeTar } from '../../platform/tar-stream.ts';
import { Refusal } from '../refusal.ts';

const MB = 1_048_576;

export type ArchiveContent = {
  readonly manifest: ArchiveManifest;
  readonly identity: ArchiveIdentity;
  readonly databaseFile: FileHandle;
  readonly blobs: BlobStore;
};

export type WriteOptions = {
  readonly passphrase: string;
  /** scrypt's cost; see `encryptAge`. */
  readonly logN: number;
  readonly progress: (doneBytes: number, ofBytes: number) => void;
  readonly signal: AbortSignal;
};

/**
 * Writes an archive of the platform's data, encrypted. Its name holds a whole archive or nothing, also after `kill -9`
 * and on a full disk.
 *
 * @returns keys of blobs whose content is not what was once stored; they are in the archive as they are
 */
export async function writeArchive(path: string, content: ArchiveContent, options: WriteOptions): Promise<string[]> {
  const { manifest } = content;
  const total = manifest.databaseBytes + manifest.blobs.reduce((sum, { bytes }) => sum + bytes, 0);
  await requireSpace(dirname(resolve(path)), total);
  const partial = `${path}.part`;
  const damaged: string[] = [];
  try {
    await rm(partial, { force: true });
    const file = await open(partial, 'wx', 0o600);
    try {
      const tar = writeTar(filesOf(content, { damaged, total, progress: options.progress }), {
        mtimeS: manifest.madeAtMs / 1000,
      });
      const { passphrase, logN, signal } = options;
      await file.writeFile(encryptAge(tar, passphrase, { logN }), { signal });
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw explained(error, path);
  }
  const folder = await open(dirname(resolve(path)), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return damaged;
}

type Filing = { damaged: string[]; total: number; progress: WriteOptions['progress'] };

async function* filesOf(content: ArchiveContent, filing: Filing): AsyncGenerator<TarFile> {
  const { manifest, identity, databaseFile, blobs } = content;
  yield textFile('manifest.json', manifest);
  yield textFile('identity.json', identity);
  yield {
    path: 'database.dump',
    bytes: manifest.databaseBytes,
    content: databaseFile.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>,
  };
  let done = manifest.databaseBytes;
  for (const blob of manifest.blobs) {
    filing.progress(done, filing.total);
    const stream = await blobs.get(blob.key);
    if (stream === undefined) throw new Error(`the blob ${blob.key} vanished while it was exported`);
    const hash = createHash('sha256');
    yield { path: `blobs/${blob.key}`, bytes: blob.bytes, content: hashing(stream as AsyncIterable<Buffer>, hash) };
    if (hash.digest('hex') !== blob.sha256) filing.damaged.push(blob.key);
    done += blob.bytes;
  }
}

async function* hashing(stream: AsyncIterable<Buffer>, hash: { update(piece: Buffer): unknown }) {
  for await (const piece of stream) {
    hash.update(piece);
    yield piece;
  }
}

function textFile(path: string, value: unknown): TarFile {
  const content = Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
  return {
    ...{ path, bytes: content.length },
    content: (async function* () {
      yield content;
    })(),
  };
}

async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new Refusal(
    `${folder} has ${Math.floor((bavail * bsize) / MB)} MB free, and this takes some ${Math.ceil(bytes / MB)} MB`,
    'make room, or write to another disk',
  );
}

function explained(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Refusal(`the disk of ${path} is full; nothing was written`, 'make room, or write to another disk', {
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR') {
    return new Refusal(
      `${basename(path)} can't be written in ${dirname(resolve(path))} (${code})`,
      'name another place',
      {
        cause: error,
      },
    );
  }
  if (code === 'ABORT_ERR') return new Refusal('interrupted; nothing was written', 'run it again', { cause: error });
  return error;
}
