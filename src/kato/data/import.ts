import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BlobStore } from '../../blobstore/blobstore.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { platformVersion } from '../../contract/version.ts';
import { importedSettings, isLaterVersion } from '../../core/data-import.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { handOver } from '../hand-over.ts';
import { type LifecycleOptions, startProcesses, stopProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readSecrets } from '../setup/secrets.ts';
import type { DatabaseServer } from '../store/database-server.ts';
import {
  adaptController,
  allSchemas,
  copySchema,
  dropReplacedDatabase,
  fillImportDatabase,
  importDatabase,
  listForsakenBlobs,
  putSettings,
} from '../store/imported-database.ts';
import { resealSecretSettings } from '../store/secret-settings.ts';
import { readStoredSettings } from '../store/snapshot.ts';
import { findTopology } from '../topology-file.ts';
import { type Archive, readArchive } from './archive-reader.ts';
import { openBlobs, workFolder } from './export.ts';
import { openServer, requireCore } from './server.ts';
import { applySwitch, beginSwitch, endSwitch, findPendingSwitch, type PendingSwitch } from './switch.ts';

const MB = 1_048_576;

export type ImportOptions = LifecycleOptions & {
  readonly file: string;
  readonly passphrase: string;
  readonly takes: PendingSwitch['takes'];
  readonly progress: (doneBytes: number, ofBytes: number) => void;
};

/** What an import found and did. */
export type Imported = {
  readonly from: string;
  readonly madeAtMs: number;
  readonly blobs: number;
  /** Packages, droplets and buildpacks whose content is not there. */
  readonly expired: number;
  /** Routes that stay on the old domain, because the new one has the same. */
  readonly keptRoutes: number;
};

/**
 * Makes the data of an archive the platform's. The archive is read to its end before anything is changed; until the switch
 * nothing but processes is touched, and from the switch on it is finished by whoever comes next.
 */
export async function importPlatform(node: Node, options: ImportOptions): Promise<Imported> {
  requireCore(node);
  await refuseUnfinished(node);
  await refuseOtherControllers(node, options.takes);
  const server = await openServer(node);
  await using folder = await workFolder(node.paths);
  const dump = await open(join(folder.path, 'database.dump'), 'wx+', 0o600);
  try {
    options.say('checking the archive');
    const archive = await readArchive(options.file, options.passphrase, { ...options, databaseFile: dump });
    await judge(node, archive, options);
    const blobs = await openBlobsOf(node, { archive, options, server });
    if (archive.sound.length > 0) await storeBlobs(node, blobs, { archive, options });
    options.say('reading the control database of the archive');
    const schemas = options.takes === 'identity' ? allSchemas : allSchemas.filter((schema) => schema !== 'primary');
    const { database: passwords } = await readSecrets(node.paths);
    await using reading = await open(join(folder.path, 'database.dump'), 'r');
    await fillImportDatabase(server, passwords, {
      ...{ dumpFd: reading.fd, schemas, signal: options.signal },
      isCluster: !node.file.isMicro,
    });
    const outcome = await adapt(server, { node, archive, options });
    await stopUsers(node, options);
    const pending = await prepareSwitch({ node, server, archive, options, folder: folder.path });
    await beginSwitch(node.paths, pending);
    await applySwitch(node, pending, options);
    await finish(blobs, pending, options);
    const { domain: from, madeAtMs } = archive.manifest;
    return { from, madeAtMs, blobs: archive.sound.length, ...outcome };
  } finally {
    await dump.close();
  }
}

/** Finishes an import that was cut short after it began to change things; false when there is none. */
export async function resumeImport(node: Node, options: LifecycleOptions): Promise<boolean> {
  const pending = await findPendingSwitch(node.paths);
  if (pending === undefined) return false;
  options.say(`finishing the import of ${pending.archive}, which was cut short`);
  await stopUsers(node, options);
  await applySwitch(node, pending, options);
  await finish(undefined, pending, options);
  return true;
}

async function refuseUnfinished({ paths }: Node): Promise<void> {
  const pending = await findPendingSwitch(paths);
  if (pending === undefined) return;
  throw new Refusal(`the import of ${pending.archive} was cut short half-way`, 'finish it: kato data import --resume');
}

/** Further controllers hold the key of the data that goes. */
async function refuseOtherControllers({ paths, file }: Node, takes: PendingSwitch['takes']): Promise<void> {
  const topology = takes === 'identity' ? undefined : await findTopology(paths);
  const others = (topology?.nodes ?? []).filter(({ id, roles }) => id !== file.id && roles.includes('controller'));
  if (others.length === 0) return;
  throw new Refusal(
    `${others.map(({ address }) => address).join(', ')} has the controller role too, and the key of the data that is replaced`,
    'take the role away there first (kato role remove controller), and add it again afterwards',
  );
}

async function judge({ paths, file }: Node, { manifest, sound }: Archive, { takes }: ImportOptions): Promise<void> {
  if (isLaterVersion(manifest.version, platformVersion)) {
    throw new Refusal(
      `the archive is of version ${manifest.version}, and this is ${platformVersion}; nothing was changed`,
      'bring this platform up to that version first',
    );
  }
  if (manifest.kind === 'database' && takes === 'data') {
    throw new Refusal(
      'this is a backup of the control database alone, without packages and droplets; nothing was changed',
      'kato data restore makes this machine the Core of that very cluster',
    );
  }
  const { bavail, bsize } = await statfs(paths.blobs);
  const bytes = sound.reduce((sum, blob) => sum + blob.bytes, 0) + 5 * manifest.databaseBytes;
  if (bavail * bsize < bytes) {
    throw new Refusal(
      `${file.address} has ${Math.floor((bavail * bsize) / MB)} MB free at ${paths.state}, and this takes some ${Math.ceil(bytes / MB)} MB; nothing was changed`,
      'make room first',
    );
  }
}

type Work = { readonly archive: Archive; readonly options: ImportOptions };

/** Where the blobs will be looked for afterwards. */
function openBlobsOf(
  node: Node,
  { archive: { identity }, options, server }: Work & { server: DatabaseServer },
): Promise<BlobStore> {
  if (options.takes === 'data') return openBlobs({ ...node, server });
  const config = decode(ClusterConfig, identity.settings, 'settings of the archive');
  return openBlobs({ paths: node.paths, config, s3: identity.s3, server });
}

/** Blobs are stored under their own names beside what is there; those of an earlier attempt are not stored again. */
async function storeBlobs(node: Node, blobs: BlobStore, { archive, options }: Work): Promise<void> {
  options.say(`storing ${archive.sound.length} blobs`);
  const sound = new Set(archive.sound.map(({ key }) => key));
  try {
    await readArchive(options.file, options.passphrase, {
      ...{ signal: options.signal, progress: options.progress },
      blob: async ({ key, sha256 }, content) => {
        const isThere = !sound.has(key) || (await blobs.stat(key))?.sha256 === sha256;
        if (isThere) for await (const _ of content);
        else await blobs.put(key, Readable.from(content, { objectMode: false }));
      },
    });
  } finally {
    const { config, paths } = node;
    if (config.blobs.kind === 'folder') await handOver([config.blobs.folder || paths.blobs]);
  }
}

async function adapt(server: DatabaseServer, { node, archive, options }: Work & { node: Node }) {
  const { manifest, sound } = archive;
  const { domain } = node.config.cluster;
  const isMoved = options.takes === 'data' && manifest.domain !== domain;
  return adaptController(server, {
    domains: isMoved ? { from: manifest.domain, to: domain } : undefined,
    // A backup of the database alone says nothing of blobs.
    present: manifest.kind === 'database' ? undefined : new Set(sound.map(({ key }) => key)),
  });
}

async function prepareSwitch({
  node,
  server,
  archive,
  options,
  folder,
}: Work & { node: Node; server: DatabaseServer; folder: string }): Promise<PendingSwitch> {
  const { identity } = archive;
  const common = { archive: options.file, takes: options.takes, identity };
  if (options.takes === 'identity') return { ...common, settings: identity.settings, forsaken: [] };
  // Who belongs to this cluster is for this cluster to say.
  const path = join(folder, 'primary.dump');
  await using writing = await open(path, 'wx', 0o600);
  await using reading = await open(path, 'r');
  await copySchema(server, 'primary', { writeFd: writing.fd, readFd: reading.fd, signal: options.signal });
  await resealSecretSettings(server, {
    database: importDatabase,
    from: (await readSecrets(node.paths)).encryptionKey,
    to: identity.secrets.encryptionKey,
  });
  const settings = importedSettings(identity.settings, await readStoredSettings(server));
  await putSettings(server, settings);
  return { ...common, settings, forsaken: await listForsakenBlobs(server) };
}

/** Everything on this node but the database stops; DEAs elsewhere go on, and are told later what runs no longer. */
async function stopUsers(node: Node, options: LifecycleOptions): Promise<void> {
  const users = listProcesses(node.file).filter(({ name }) => name !== 'postgresql');
  await stopProcesses(node, users, options);
}

async function finish(blobs: BlobStore | undefined, pending: PendingSwitch, options: LifecycleOptions): Promise<void> {
  const node = await openNode();
  await startProcesses(node, listProcesses(node.file), options);
  const server = await openServer(node);
  const store = blobs ?? (await openBlobs({ ...node, server }));
  for (const key of pending.forsaken) await store.delete(key);
  await dropReplacedDatabase(server);
  await endSwitch(node.paths);
}
