import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { PlatformError } from '../contract/errors.ts';
import { parseMode, type Resource } from '../core/resource-match.ts';
import type { Controller } from './api/controller.ts';
import { type ArchiveEntry, ArchiveError, type ArchiveLimits, refuseFilesAsFolders } from './package-archive.ts';
import { deleteResource, findResources } from './store/resource-match.ts';

type Assembly = {
  readonly entries: readonly ArchiveEntry[];
  readonly resources: readonly Resource[];
  readonly limits: ArchiveLimits;
  /** Where the new archive is written. */
  readonly path: string;
};

const LINK = 0o120000;
const FILE = 0o100000;

/** Writes a zip of an archive's entries and of files from the cache. What the archive has wins. */
export async function assemblePackage(controller: Controller, assembly: Assembly): Promise<void> {
  const { entries, limits, path } = assembly;
  const taken = new Set(entries.map((entry) => entry.path));
  const resources = assembly.resources.filter((resource) => !taken.has(resource.path));
  checkSize(entries, resources, limits);
  refuseFilesAsFolders([...entries, ...resources.map((resource) => ({ path: resource.path, kind: 'file' as const }))]);
  await checkPresent(controller, resources);
  const zip = new ZipFile();
  const failed = new Promise<never>((_resolve, reject) => zip.on('error', reject));
  for (const entry of entries) addEntry(zip, entry);
  for (const resource of resources) {
    addLazily(zip, resource.path, {
      mode: FILE | (parseMode(resource.mode) ?? 0o644),
      read: () => readResource(controller, resource),
    });
  }
  zip.end();
  await Promise.race([pipeline(zip.outputStream, createWriteStream(path, { mode: 0o600 })), failed]);
}

function addEntry(zip: ZipFile, entry: ArchiveEntry): void {
  if (entry.kind === 'directory') zip.addEmptyDirectory(entry.path, { mode: entry.mode });
  else addLazily(zip, entry.path, { mode: (entry.kind === 'link' ? LINK : FILE) | entry.mode, read: entry.read });
}

function addLazily(zip: ZipFile, path: string, source: { mode: number; read: () => Promise<Readable> }): void {
  zip.addReadStreamLazy(path, { mode: source.mode, compressionLevel: 1 }, (done) => {
    source.read().then(
      (stream) => {
        stream.on('error', (error) => zip.emit('error', error));
        done(null, stream);
      },
      (error: unknown) => zip.emit('error', error),
    );
  });
}

function checkSize(entries: readonly ArchiveEntry[], resources: readonly Resource[], limits: ArchiveLimits): void {
  const bytes = [...entries, ...resources].reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > limits.maxUnpackedBytes) {
    throw new ArchiveError(`it unpacks to more than ${Math.floor(limits.maxUnpackedBytes / 1024 / 1024)} MB`);
  }
  if (entries.length + resources.length > limits.maxEntries) {
    throw new ArchiveError(`it has more than ${limits.maxEntries} entries`);
  }
}

async function checkPresent({ db }: Controller, resources: readonly Resource[]): Promise<void> {
  const known = await findResources(db, [...new Set(resources.map(({ sha1 }) => sha1))]);
  const missing = resources.find(({ sha1, bytes }) => known.get(sha1) !== bytes);
  if (missing) throw gone(missing);
}

async function readResource({ blobs, db }: Controller, resource: Resource): Promise<Readable> {
  const stream = await blobs.get(`resources/${resource.sha1}`);
  if (stream) return stream;
  await deleteResource(db, resource.sha1);
  throw gone(resource);
}

const gone = ({ path }: Resource) =>
  new PlatformError('UnprocessableEntity', `The server no longer has '${path}'; push again to upload it`);
