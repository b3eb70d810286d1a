import { open, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Detection, detectFramework, filesToRead } from '../../core/framework.ts';
import { openZip } from '../../platform/zip-archive.ts';
import { ClientError } from '../client-error.ts';
import { listAppFiles } from './app-files.ts';
import type { Bits } from './upload.ts';

/** An app's code as it lies on disk, and what it looks like. */
export type AppSource = {
  readonly bits: Bits;
  readonly detection: Detection;
  readonly folderName: string;
  readonly notes: readonly string[];
};

const LARGEST_READ = 262_144;

/** Reads a folder, or an archive (.jar, .war, .zip), which is uploaded as it is. */
export async function readSource(path: string, ignores: readonly string[]): Promise<AppSource> {
  const absolute = resolve(path);
  const stats = await statOf(absolute);
  const folderName = basename(absolute).replace(/\.(jar|war|zip)$/i, '');
  if (!stats.isFile()) {
    const { files, notes } = await listAppFiles(absolute, ignores);
    const paths = files.map((file) => file.path);
    const texts = await readTexts(absolute, paths);
    const detection = detectFramework({ files: paths, read: (name) => texts.get(name) });
    return { bits: { files }, detection, folderName, notes };
  }
  if (!/\.(jar|war|zip)$/i.test(absolute)) {
    throw new ClientError(`${absolute} is a file, and not a .jar, .war or .zip`, {
      next: 'Push the folder it is in; for a program: --command ./NAME',
    });
  }
  const { files, texts } = await readArchive(absolute);
  const detection = detectFramework({ files, read: (name) => texts.get(name) });
  return { bits: { archive: absolute, bytes: stats.size }, detection, folderName, notes: [] };
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw new ClientError(`There is nothing to push at ${path}: ${(error as Error).message}`, {
      cause: error,
      next: 'Check --path, or the path in the manifest',
    });
  }
}

async function readTexts(folder: string, paths: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const name of filesToRead.filter((one) => paths.includes(one))) {
    await using file = await open(join(folder, name));
    const buffer = Buffer.alloc(LARGEST_READ);
    const { bytesRead } = await file.read(buffer, 0, LARGEST_READ, 0);
    texts.set(name, buffer.toString('utf8', 0, bytesRead));
  }
  return texts;
}

async function readArchive(path: string): Promise<{ files: string[]; texts: Map<string, string> }> {
  const files: string[] = [];
  const texts = new Map<string, string>();
  try {
    const archive = await openZip(path);
    try {
      for await (const entry of archive.eachEntry()) {
        files.push(entry.fileName);
        if (filesToRead.includes(entry.fileName) && entry.uncompressedSize <= LARGEST_READ) {
          texts.set(entry.fileName, await text(await archive.openReadStreamPromise(entry)));
        }
      }
    } finally {
      archive.close();
    }
  } catch (error) {
    throw new ClientError(`${path} is not a zip archive that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { files, texts };
}
