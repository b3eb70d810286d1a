import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Entry, ZipFile } from 'yauzl';
import { fileAsFolder, isLinkInside, pathProblem, plainPath } from '../core/resource-match.ts';
import { openZip } from '../platform/zip-archive.ts';

/** What an archive may hold. */
export type ArchiveLimits = { readonly maxEntries: number; readonly maxUnpackedBytes: number };

/** A file, folder or link of a checked archive. */
export type ArchiveEntry = {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link';
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: number;
  readonly read: () => Promise<Readable>;
};

/** An archive that must not be unpacked; the message says which entry is at fault. */
export class ArchiveError extends Error {
  override name = 'ArchiveError';
}

const TYPE_MASK = 0o170000;
const FILE = 0o100000;
const KINDS: ReadonlyMap<number, ArchiveEntry['kind']> = new Map([
  [0o040000, 'directory'],
  [0o120000, 'link'],
]);
const MAX_LINK_BYTES = 4096;

/** Opens a zip and checks every entry before any is used. */
export async function openArchive(
  path: string,
  limits: ArchiveLimits,
): Promise<{ entries: readonly ArchiveEntry[] } & Disposable> {
  const zip = await readable(() => openZip(path, { strictFileNames: true }));
  try {
    const entries = await checkEntries(zip, limits);
    return { entries, [Symbol.dispose]: () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function checkEntries(zip: ZipFile, limits: ArchiveLimits): Promise<ArchiveEntry[]> {
  if (zip.entryCount > limits.maxEntries) fail(`it has ${zip.entryCount} entries, ${limits.maxEntries} are allowed`);
  const entries: ArchiveEntry[] = [];
  const links = new Set<string>();
  let unpackedBytes = 0;
  const iterator = zip.eachEntry();
  for (;;) {
    const next = await readable(() => iterator.next());
    if (next.done) break;
    const entry = describe(zip, next.value);
    if (entry.kind === 'link') await checkLink(entry);
    unpackedBytes += entry.bytes;
    if (unpackedBytes > limits.maxUnpackedBytes) {
      fail(`it unpacks to more than ${Math.floor(limits.maxUnpackedBytes / 1024 / 1024)} MB`);
    }
    if (entries.length >= limits.maxEntries) fail(`it has more than ${limits.maxEntries} entries`);
    if (entry.kind === 'link') links.add(plainPath(entry.path));
    entries.push(entry);
  }
  if (links.size > 0) refusePathsThroughLinks(entries, links);
  refuseFilesAsFolders(entries);
  return entries;
}

function describe(zip: ZipFile, entry: Entry): ArchiveEntry {
  const path = entry.fileName;
  const wrong = pathProblem(path);
  if (wrong) fail(`it contains ${wrong}`);
  if (entry.isEncrypted()) fail(`'${path}' is encrypted`);
  if (!entry.canDecodeFileData()) fail(`'${path}' is compressed in an unknown way`);
  const mode = entry.externalFileAttributes >>> 16;
  const type = mode & TYPE_MASK;
  const kind = kindOf(path, type);
  if (!kind) fail(`'${path}' is a device or another special file`);
  const read = () => readable(() => zip.openReadStreamPromise(entry));
  const fallback = kind === 'directory' ? 0o755 : 0o644;
  return { path, kind, mode: mode & 0o777 || fallback, bytes: entry.uncompressedSize, read };
}

/** Go's zip writer, and so the cf client, calls folders regular files: their slash tells. */
function kindOf(path: string, type: number): ArchiveEntry['kind'] | undefined {
  if (type !== 0 && type !== FILE) return KINDS.get(type);
  return path.endsWith('/') ? 'directory' : 'file';
}

async function checkLink({ path, bytes, read }: ArchiveEntry): Promise<void> {
  if (bytes > MAX_LINK_BYTES) fail(`the link '${path}' has a target of ${bytes} bytes`);
  const stream = await read();
  const target = String(await readable(() => buffer(stream)));
  if (!isLinkInside(path, target)) fail(`the link '${path}' leads outside the app's folder`);
}

/** Links only ever climb from where they are; so a path must not get somewhere else through another link. */
function refusePathsThroughLinks(entries: readonly ArchiveEntry[], links: ReadonlySet<string>): void {
  for (const { path } of entries) {
    const parts = plainPath(path).split('/');
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join('/');
      if (links.has(parent)) fail(`'${path}' is below the link '${parent}'`);
    }
  }
}

/** @throws ArchiveError when something would have to be both a file and a folder */
export function refuseFilesAsFolders(entries: readonly Pick<ArchiveEntry, 'path' | 'kind'>[]): void {
  const clash = fileAsFolder(entries.map(({ path, kind }) => ({ path, isFolder: kind === 'directory' })));
  if (clash) fail(`'${clash.below}' is below '${clash.file}', which is a file`);
}

/** The zip library reports damage as plain errors. */
async function readable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArchiveError || (error instanceof Error && 'syscall' in error)) throw error;
    throw new ArchiveError(`it is not a readable zip file (${(error as Error).message})`, { cause: error });
  }
}

function fail(message: string): never {
  throw new ArchiveError(message);
}
