import { createWriteStream } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Entry, ZipFile } from 'yauzl';
import { PlatformError } from '../contract/errors.ts';
import { openZip } from '../platform/zip-archive.ts';

export type ArchiveLimits = { readonly maxEntries: number; readonly maxBytes: number };

/** What an archive's table of contents declares. */
export type ArchiveContent = { readonly entries: number; readonly bytes: number; readonly largestBytes: number };

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const PLAIN = new Set([0, 0o100000, 0o040000]);

/**
 * Reads a zip file's table of contents and refuses what could harm: names that leave the folder, devices and other
 * special files, links that lead out or are written through, too many entries, too many bytes once unpacked.
 *
 * @throws PlatformError 'AppPackageInvalid' naming the entry
 */
export async function checkArchive(file: string, limits: ArchiveLimits): Promise<ArchiveContent> {
  const content = { entries: 0, bytes: 0, largestBytes: 0 };
  const links = new Set<string>();
  await eachEntry(file, (entry, zip) => {
    content.entries += 1;
    content.bytes += entry.uncompressedSize;
    content.largestBytes = Math.max(content.largestBytes, entry.uncompressedSize);
    const kind = kindOf(entry);
    if (kind !== S_IFLNK && !PLAIN.has(kind)) throw invalid(`'${entry.fileName}' is not a file, folder or link`);
    const name = entry.fileName.replace(/\/+$/, '');
    if (links.size > 0 && parentsOf(name).some((parent) => links.has(parent)))
      throw invalid(`'${name}' would be written through a link`);
    if (content.entries > limits.maxEntries) throw invalid(`it has more than ${limits.maxEntries} entries`);
    if (content.bytes > limits.maxBytes) {
      throw invalid(`it is larger than ${Math.floor(limits.maxBytes / 1_048_576)} MB once unpacked`);
    }
    if (kind !== S_IFLNK) return;
    links.add(name);
    return checkLink(name, entry, zip);
  });
  return content;
}

/** Unpacks a checked zip file; links are left out, permission bits are reduced to 0755 or 0644. */
export async function unpackArchive(file: string, folder: string, limits: ArchiveLimits): Promise<void> {
  await checkArchive(file, limits);
  await mkdir(folder, { recursive: true });
  await eachEntry(file, async (entry, zip) => {
    const target = join(folder, entry.fileName);
    if (entry.fileName.endsWith('/')) return void (await mkdir(target, { recursive: true }));
    if (kindOf(entry) === S_IFLNK) return;
    await mkdir(dirname(target), { recursive: true });
    const stream = await zip.openReadStreamPromise(entry);
    await pipeline(stream, createWriteStream(target));
    await chmod(target, modeOf(entry) & 0o111 ? 0o755 : 0o644);
  });
}

async function checkLink(name: string, entry: Entry, zip: ZipFile): Promise<void> {
  if (entry.uncompressedSize > 4096) throw invalid(`the link '${name}' is too long`);
  let target = '';
  for await (const chunk of await zip.openReadStreamPromise(entry)) target += String(chunk);
  const place = posix.join(posix.dirname(name), target);
  if (target.startsWith('/') || place === '..' || place.startsWith('../')) {
    throw invalid(`'${name}' links to '${target}', outside of the app`);
  }
}

async function eachEntry(file: string, visit: (entry: Entry, zip: ZipFile) => Promise<void> | void): Promise<void> {
  const zip = await readable(() => openZip(file));
  try {
    const entries = zip.eachEntry();
    for (;;) {
      const next = await readable(() => entries.next());
      if (next.done) return;
      const visited = visit(next.value, zip);
      if (visited) await visited;
    }
  } finally {
    zip.close();
  }
}

/** The zip library reports damage as plain errors; a disk's come with the name of the call. */
async function readable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error;
    throw invalid((error as Error).message, error as Error);
  }
}

const modeOf = (entry: Entry) => entry.externalFileAttributes >>> 16;
const kindOf = (entry: Entry) => modeOf(entry) & S_IFMT;

function parentsOf(name: string): string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'));
}

function invalid(why: string, cause?: Error): PlatformError {
  return new PlatformError('AppPackageInvalid', why, cause ? { cause } : {});
}
