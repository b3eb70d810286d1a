import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { ClientError } from '../client-error.ts';
import type { AppFile } from './app-files.ts';

const LINK_MODE = 0o120777;
const HASHES_AT_ONCE = 4;

/** Writes files, links and folders to a zip with their Unix modes; gives its size in bytes. */
export async function writeZip(path: string, files: readonly AppFile[], signal: AbortSignal): Promise<number> {
  const zip = new ZipFile();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  zip.on('error', (error: Error) => reject(fileFault(error)));
  const written = pipeline(zip.outputStream, createWriteStream(path), { signal });
  for (const file of files) addTo(zip, file);
  zip.end();
  try {
    await Promise.race([written, failed]);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC') throw error;
    throw new ClientError(`There is no room to pack the app: ${message}`, {
      cause: error,
      next: 'Free space in the folder for temporary files, or set TMPDIR to another one',
    });
  }
  return (await stat(path)).size;
}

function addTo(zip: ZipFile, file: AppFile): void {
  const { path, modified: mtime } = file;
  if (file.kind === 'link') {
    zip.addBuffer(Buffer.from(file.to), path, { mtime, mode: LINK_MODE, compress: false });
  } else if (file.kind === 'folder') {
    zip.addEmptyDirectory(path, { mtime, mode: file.mode });
  } else {
    zip.addFile(file.absolute, path, { mtime, mode: file.mode, compressionLevel: 4 });
  }
}

/** SHA-1 of each file's content, hex, in order; how the server knows files it has. */
export async function hashFiles(
  files: readonly { readonly absolute: string }[],
  onFile: (done: number) => void,
): Promise<string[]> {
  const sums: string[] = new Array(files.length).fill('');
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let index = next++; index < files.length; index = next++) {
      const file = files[index];
      if (file) sums[index] = await hashFile(file.absolute);
      onFile(++done);
    }
  };
  await Promise.all(Array.from({ length: HASHES_AT_ONCE }, work));
  return sums;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha1');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw fileFault(error);
  }
  return hash.digest('hex');
}

function fileFault(error: unknown): ClientError {
  const { message } = error as Error;
  return new ClientError(`A file of the app can't be read: ${message}`, {
    cause: error,
    next: 'Make it readable and leave it alone while it is pushed, or leave it out by a line in .cfignore',
  });
}
