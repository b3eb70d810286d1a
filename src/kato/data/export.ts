import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type BlobStore, BlobStoreError } from '../../blobstore/blobstore.ts';
import { openBlobStore } from '../../blobstore/open.ts';
import { claimSharedFolder } from '../../blobstore/shared-folder.ts';
import type { ArchivedBlob, ArchiveIdentity, ArchiveManifest } from '../../contract/data-archive.ts';
import type { CredentialsFile } from '../../contract/node.ts';
import { platformVersion } from '../../contract/version.ts';
import { blobKindsOf, type DataPart, dataPartNames, schemasOf } from '../../core/data-parts.ts';
import { systemClock } from '../../platform/clock.ts';
import { isMissing, readTextIfExists } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import type { Paths } from '../../platform/paths.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readOrMakeSecrets, readSecrets } from '../setup/secrets.ts';
import { readS3Keys } from '../setup/state-folder.ts';
import type { DatabaseServer } from '../store/database-server.ts';
import { readSecretSettings } from '../store/secret-settings.ts';
import { dumpDatabase, holdBlobs, type ReferredBlob, readStoredSettings } from '../store/snapshot.ts';
import { writeArchive } from './archive-writer.ts';
import { openServer } from './server.ts';

const STATS_AT_ONCE = 8;

export type ExportOptions = {
  readonly file: string;
  readonly kind: ArchiveManifest['kind'];
  readonly parts: readonly DataPart[];
  readonly passphrase: string;
  readonly logN: number;
  readonly say: (text: string) => void;
  readonly progress: (doneBytes: number, ofBytes: number) => void;
  readonly signal: AbortSignal;
};

/** What an export wrote. */
export type Exported = {
  readonly file: string;
  readonly bytes: number;
  readonly blobs: number;
  readonly missing: readonly string[];
  readonly damaged: readonly string[];
};

/** Writes the platform as it is at one moment to an encrypted file, while everything goes on. */
export async function exportPlatform(node: Node, options: ExportOptions): Promise<Exported> {
  const { paths, file: self, config } = node;
  const server = await openServer(node);
  const kinds = blobKindsOf(options.parts);
  if (kinds.length > 0) await refuseLostFolder(node);
  const blobs = await openBlobs({ ...node, server });
  if (kinds.length > 0) await blobs.check();
  await using folder = await workFolder(paths);
  // Held before the database is looked at: what it speaks of then stays.
  await using hold = await holdBlobs(server);
  const dump = await open(join(folder.path, 'database.dump'), 'wx+', 0o600);
  try {
    options.say('reading the control database');
    const { blobs: referred } = await dumpDatabase(server, {
      ...{ fd: dump.fd, kinds, schemas: schemasOf(options.parts), signal: options.signal },
    });
    const found = await describeBlobs(blobs, referred, options.signal);
    const manifest: ArchiveManifest = {
      format: 1,
      kind: options.kind,
      version: platformVersion,
      madeAtMs: systemClock.nowMs(),
      domain: config.cluster.domain,
      core: self.id,
      databaseBytes: (await dump.stat()).size,
      blobs: found.blobs,
      missing: found.missing,
      left: dataPartNames.filter((part) => !options.parts.includes(part)),
    };
    const identity = await readIdentity(node, server);
    options.say(`writing ${found.blobs.length} blobs`);
    const damaged = await writeArchive(
      options.file,
      { manifest, identity, databaseFile: dump, blobs: checked(blobs, hold.check) },
      options,
    );
    const { size } = await stat(options.file);
    return { file: options.file, bytes: size, blobs: found.blobs.length, missing: found.missing, damaged };
  } finally {
    await dump.close();
  }
}

/** Of an empty place where the blobs should be mounted, an archive without any would be made. */
async function refuseLostFolder({ config, file }: Node): Promise<void> {
  const { kind, folder } = config.blobs;
  if (kind !== 'folder' || folder === '') return;
  try {
    await claimSharedFolder({ folder, cluster: file.id });
  } catch (cause) {
    if (!(cause instanceof BlobStoreError)) throw cause;
    throw new Refusal(cause.message, 'then run it again', { cause });
  }
}

/** The blob store, as the controllers use it. @param place `s3`: keys other than this cluster's own */
export async function openBlobs(
  place: Pick<Node, 'config' | 'paths'> & { s3?: CredentialsFile['s3']; server: DatabaseServer },
): Promise<BlobStore> {
  const { config, paths } = place;
  const s3 = config.blobs.kind === 's3' ? (place.s3 ?? (await findS3Keys(paths, place.server))) : undefined;
  const credentials = { bus: { servers: [], user: '', password: '', caFile: '' }, ...(s3 === undefined ? {} : { s3 }) };
  return openBlobStore({ config, paths, credentials, log: silentLog });
}

async function findS3Keys(paths: Paths, server: DatabaseServer): Promise<CredentialsFile['s3']> {
  const { encryptionKey } = await readSecrets(paths);
  const settings = await readSecretSettings(server, encryptionKey);
  const accessKeyId = settings['blobs.s3.accessKeyId'];
  const secretAccessKey = settings['blobs.s3.secretAccessKey'];
  if (accessKeyId === undefined || secretAccessKey === undefined) return readS3Keys(paths);
  return { accessKeyId, secretAccessKey };
}

/** A folder of root's alone, removed when disposed; what an interrupted run left goes too. */
export async function workFolder({ setup }: Paths): Promise<{ path: string } & AsyncDisposable> {
  for (const name of await readdir(setup)) {
    const [, pid] = /^data-(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !(await isRunning(pid))) await rm(join(setup, name), { recursive: true, force: true });
  }
  const path = join(setup, `data-${process.pid}`);
  await mkdir(path, { mode: 0o700 });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function isRunning(pid: string): Promise<boolean> {
  return (await readTextIfExists(join('/proc', pid, 'comm'))) !== undefined;
}

async function readIdentity({ paths, file, config }: Node, server: DatabaseServer): Promise<ArchiveIdentity> {
  const settings = await readStoredSettings(server);
  const s3 = config.blobs.kind === 's3' ? await findS3Keys(paths, server) : undefined;
  const files: Record<string, string> = {};
  for (const path of await identityFiles(paths)) {
    const text = await readTextIfExists(path);
    if (text !== undefined) files[relative(paths.state, path)] = text;
  }
  // Where the database is belongs to this machine, not to the data.
  const { databaseServer: _, ...secrets } = await readOrMakeSecrets(paths);
  return { node: file, settings, secrets, files, ...(s3 === undefined ? {} : { s3 }) };
}

/** The certificates and lists that every node knows the Core by. */
async function identityFiles(paths: Paths): Promise<string[]> {
  const own = [paths.caCertificate, paths.caKey, paths.topologyFile, paths.balancerCertificate];
  const more = [paths.routerCertificates, paths.balancerCertificates];
  return [...own, ...(await Promise.all(more.map(listPem))).flat()];
}

async function listPem(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.pem')).map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function describeBlobs(blobs: BlobStore, referred: readonly ReferredBlob[], signal: AbortSignal) {
  const found: ArchivedBlob[] = [];
  const missing: string[] = [];
  const queue = referred.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const work = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      signal.throwIfAborted();
      const info = await blobs.stat(one.key);
      if (info === undefined) missing.push(one.key);
      else found.push({ key: one.key, bytes: info.bytes, sha256: info.sha256 });
    }
  };
  await Promise.all(Array.from({ length: STATS_AT_ONCE }, work));
  return { blobs: found.toSorted((a, b) => (a.key < b.key ? -1 : 1)), missing };
}

/** A store that is read only as long as its blobs are held. */
function checked(blobs: BlobStore, check: () => void): BlobStore {
  return {
    ...blobs,
    get: (key, range) => {
      check();
      return blobs.get(key, range);
    },
  };
}
