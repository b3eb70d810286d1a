import { createWriteStream } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';
import { PlatformError } from '../contract/errors.ts';

export type ArchiveLimits = { readonly maxEntries: number; readonly maxBytes: number };

export type ArchiveContent = { readonly entries: number; readonly bytes: number };

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
  const content = { entries: 0, bytes: 0 };
  const links = new Set<string>();
  await eachEntry(file, async (entry, zip) => {
    content.entries += 1;
    content.bytes += entry.uncompressedSize;
    const kind = kindOf(entry);
    if (kind !== S_IFLNK && !PLAIN.has(kind)) throw invalid(`'${entry.fileName}' is not a file, folder or link`);
    const name = entry.fileName.replace(/\/+$/, '');
    if (parentsOf(name).some((parent) => links.has(parent))) throw invalid(`'${name}' would be written through a link`);
    if (kind === S_IFLNK) {
      links.add(name);
      await checkLink(name, entry, zip);
    }
    if (content.entries > limits.maxEntries) throw invalid(`it has more than ${limits.maxEntries} entries`);
    if (content.bytes > limits.maxBytes) {
      throw invalid(`it is larger than ${Math.floor(limits.maxBytes / 1_048_576)} MB once unpacked`);
    }
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
    const stream = await openEntry(zip, entry);
    await pipeline(stream, createWriteStream(target));
    await chmod(target, modeOf(entry) & 0o111 ? 0o755 : 0o644);
  });
}

async function checkLink(name: string, entry: yauzl.Entry, zip: yauzl.ZipFile): Promise<void> {
  if (entry.uncompressedSize > 4096) throw invalid(`the link '${name}' is too long`);
  let target = '';
  for await (const chunk of await openEntry(zip, entry)) target += String(chunk);
  const place = posix.join(posix.dirname(name), target);
  if (target.startsWith('/') || place === '..' || place.startsWith('../')) {
    throw invalid(`'${name}' links to '${target}', outside of the app`);
  }
}

function eachEntry(file: string, visit: (entry: yauzl.Entry, zip: yauzl.ZipFile) => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  yauzl.open(file, { lazyEntries: true, autoClose: true, validateEntrySizes: true }, (error, zip) => {
    if (error) return reject(invalid(error.message, error));
    zip.on('error', (cause: Error) => reject(invalid(cause.message, cause)));
    zip.on('end', resolve);
    zip.on('entry', (entry: yauzl.Entry) => {
      visit(entry, zip).then(
        () => zip.readEntry(),
        (cause) => {
          zip.close();
          reject(cause);
        },
      );
    });
    zip.readEntry();
  });
  return promise;
}

function openEntry(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<NodeJS.ReadableStream> {
  const { promise, resolve, reject } = Promise.withResolvers<NodeJS.ReadableStream>();
  zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
  return promise;
}

const modeOf = (entry: yauzl.Entry) => entry.externalFileAttributes >>> 16;
const kindOf = (entry: yauzl.Entry) => modeOf(entry) & S_IFMT;

function parentsOf(name: string): string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'));
}

function invalid(why: string, cause?: Error): PlatformError {
  return new PlatformError('AppPackageInvalid', why, cause ? { cause } : {});
}
