import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ArchivedBlob, ArchiveIdentity, ArchiveManifest } from '../../contract/data-archive.ts';
import { DecodeError, decode } from '../../contract/decode.ts';
import { AgeError, decryptAge } from '../../platform/age-file.ts';
import { isMissing } from '../../platform/files.ts';
import { readTar, TarError, type TarFile } from '../../platform/tar-stream.ts';
import { Refusal } from '../refusal.ts';

const LARGEST_TEXT = 256 * 1_048_576;

/** What an archive that was read to its end holds besides its blobs. */
export type Archive = {
  readonly manifest: ArchiveManifest;
  readonly identity: ArchiveIdentity;
  /** Blobs whose content is what was once stored. */
  readonly sound: readonly ArchivedBlob[];
};

/** What to do with the content of an archive on the way. */
export type ArchiveVisitor = {
  /** Where the database's dump goes; without, it is only checked. */
  readonly databaseFile?: FileHandle;
  readonly blob?: (blob: ArchivedBlob, content: AsyncIterable<Buffer>) => Promise<void>;
  readonly progress?: (doneBytes: number, ofBytes: number) => void;
  readonly signal: AbortSignal;
};

/**
 * Reads an archive from its first to its last byte; every byte is proven to be what was written.
 *
 * @throws Refusal for a wrong passphrase, and for a file that is no archive, was cut or changed
 */
export async function readArchive(path: string, passphrase: string, visitor: ArchiveVisitor): Promise<Archive> {
  const file = await openArchive(path);
  try {
    const source = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1_048_576 });
    source.on('error', () => source.destroy());
    return await readFiles(readTar(decryptAge(source as AsyncIterable<Buffer>, passphrase)), visitor);
  } catch (error) {
    throw explained(error, path);
  } finally {
    await file.close();
  }
}

async function openArchive(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) throw new Refusal(`there is no file ${resolve(path)}`, undefined, { cause: error });
    throw error;
  }
}

async function readFiles(files: AsyncGenerator<TarFile>, visitor: ArchiveVisitor): Promise<Archive> {
  const next = async (path: string): Promise<TarFile> => {
    const { value } = await files.next();
    if (value?.path !== path) throw new TarError(`it has no ${path}`);
    return value;
  };
  const manifest = decode(ArchiveManifest, await json(await next('manifest.json')), 'its manifest');
  const identity = decode(ArchiveIdentity, await json(await next('identity.json')), 'its identity');
  const database = await next('database.dump');
  if (database.bytes !== manifest.databaseBytes) throw new TarError('its database has another size than it says');
  for await (const piece of database.content) await visitor.databaseFile?.writeFile(piece);
  const total = manifest.databaseBytes + manifest.blobs.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = manifest.databaseBytes;
  const sound: ArchivedBlob[] = [];
  for (const blob of manifest.blobs) {
    visitor.signal.throwIfAborted();
    visitor.progress?.(done, total);
    const { content, bytes } = await next(`blobs/${blob.key}`);
    const hash = createHash('sha256');
    if (visitor.blob === undefined) for await (const piece of content) hash.update(piece);
    else await visitor.blob(blob, hashing(content, hash));
    if (bytes === blob.bytes && hash.digest('hex') === blob.sha256) sound.push(blob);
    done += blob.bytes;
  }
  const { value: more } = await files.next();
  if (more !== undefined) throw new TarError(`it has a file ${more.path} that it does not speak of`);
  return { manifest, identity, sound };
}

async function* hashing(content: AsyncIterable<Buffer>, hash: { update(piece: Buffer): unknown }) {
  for await (const piece of content) {
    hash.update(piece);
    yield piece;
  }
}

async function json({ path, bytes, content }: TarFile): Promise<unknown> {
  if (bytes > LARGEST_TEXT) throw new TarError(`${path} is too large`);
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new TarError(`${path} is not JSON`, { cause });
  }
}

function explained(error: unknown, path: string): unknown {
  const because = (why: string, next: string) => new Refusal(`${path}: ${why}`, next, { cause: error });
  if (error instanceof AgeError) {
    if (error.because === 'passphrase') return because(error.message, 'give the passphrase it was made with');
    return because(`${error.message}; nothing was changed`, 'copy it again, or take another one');
  }
  if (error instanceof TarError || error instanceof DecodeError) {
    return because(`${error.message}; nothing was changed`, 'take one that `kato data export` wrote');
  }
  if (error instanceof Error && 'code' in error && error.code === 'EISDIR') {
    return because('this is a folder', 'name the file');
  }
  return error;
}
