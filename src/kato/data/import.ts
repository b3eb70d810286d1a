import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore } from '../../blobstore/blobstore.ts';
import { ClusterConfig } from '../../contract/config.ts';
import type { ArchivedBlob } from '../../contract/data-archive.ts';
import { decode } from '../../contract/decode.ts';
import { importedSettings } from '../../core/data-import.ts';
import { blobKindsOf, type DataPart, schemasOf } from '../../core/data-parts.ts';
import { listProcesses } from '../../core/role-plan.ts';
import type { OtherNode } from '../cluster/others.ts';
import { askedOrCopied } from '../cluster/registry-client.ts';
import { type LifecycleOptions, startProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { readSecrets } from '../setup/secrets.ts';
import type { DatabaseServer } from '../store/database-server.ts';
import {
  allSchemas,
  copySchema,
  dropReplacedDatabase,
  fillImportDatabase,
  importDatabase,
} from '../store/imported-database.ts';
import { adaptController, listBlobKeys, putSettings, resealSchemas } from '../store/imported-rows.ts';
import { readStoredSettings } from '../store/snapshot.ts';
import { type Archive, readArchive } from './archive-reader.ts';
import { openBlobs, workFolder } from './export.ts';
import { listMissing, storeBlobs } from './import-blobs.ts';
import { judgeArchive, partsOf, type WantedParts } from './import-checks.ts';
import { renewOtherControllers, stopWriters } from './other-controllers.ts';
import { openServer, requireCore } from './server.ts';
import { applySwitch, beginSwitch, endSwitch, type PendingSwitch } from './switch.ts';

export type ImportOptions = LifecycleOptions & {
  readonly file: string;
  readonly passphrase: string;
  readonly takes: PendingSwitch['takes'];
  readonly wanted: WantedParts;
  /**
   * Asked once the archive was read and found good, before anything is changed.
   * @param left addresses of nodes that would have no Core any more
   * @throws to refuse
   */
  readonly confirm: (server: DatabaseServer, left: readonly string[]) => Promise<void>;
  readonly progress: (doneBytes: number, ofBytes: number) => void;
};

/** What an import found and did. */
export type Imported = {
  readonly from: string;
  readonly madeAtMs: number;
  readonly parts: readonly DataPart[];
  readonly blobs: number;
  /** Packages, droplets and buildpacks whose content is not there. */
  readonly expired: number;
  /** Routes that stay on the old domain, because the new one has the same. */
  readonly keptRoutes: number;
  /** Further controllers that do not use the data yet. */
  readonly controllersAway: readonly OtherNode[];
};

/** One import on its way. */
type Work = {
  readonly node: Node;
  readonly server: DatabaseServer;
  readonly options: ImportOptions;
  readonly archive: Archive;
  readonly parts: readonly DataPart[];
  /** Those that are taken from the archive, whole. */
  readonly taken: readonly ArchivedBlob[];
  readonly blobs: BlobStore;
  readonly folder: string;
};

/**
 * Makes the data of an archive the platform's. The archive is read to its end before anything is changed; until the switch
 * nothing but processes is touched, and from the switch on it is finished by whoever comes next.
 */
export async function importPlatform(node: Node, options: ImportOptions): Promise<Imported> {
  requireCore(node);
  const server = await openServer(node);
  await using folder = await workFolder(node.paths);
  await using dump = await open(join(folder.path, 'database.dump'), 'wx+', 0o600);
  const work = await look({ node, server, options, folder: folder.path, dump });
  const { blobs, taken, parts, archive } = work;
  await options.confirm(server, await findLeft(work));
  if (taken.length > 0) {
    options.say(`storing ${taken.length} blobs`);
    await storeBlobs(node, blobs, { ...options, wanted: taken });
  }
  const outcome = await fill(work);
  await stopWriters(node, options);
  const pending = await prepareSwitch(work);
  await beginSwitch(node.paths, pending);
  await applySwitch(node, pending, options);
  const controllersAway = await finish(blobs, pending, options);
  const { domain: from, madeAtMs } = archive.manifest;
  return { from, madeAtMs, parts, blobs: taken.length, ...outcome, controllersAway };
}

/** Finishes an import that was cut short after it began to change things. */
export async function resumeImport(
  node: Node,
  pending: PendingSwitch,
  options: LifecycleOptions,
): Promise<readonly OtherNode[]> {
  options.say(`finishing the import of ${pending.archive}, which was cut short`);
  await stopWriters(node, options);
  await applySwitch(node, pending, options);
  return finish(undefined, pending, options);
}

/** Reads the archive to its end, and finds out whether it can be taken. */
async function look({ dump, ...given }: Pick<Work, 'node' | 'server' | 'options' | 'folder'> & { dump: FileHandle }) {
  const { options, node } = given;
  options.say('checking the archive');
  const archive = await readArchive(options.file, options.passphrase, { ...options, databaseFile: dump });
  const parts = partsOf(archive, options.wanted, options.takes);
  const kinds = blobKindsOf(parts);
  const taken = archive.sound.filter(({ key }) => kinds.includes(key.split('/')[0] ?? ''));
  await judgeArchive(
    node,
    archive,
    taken.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  const blobs = await openBlobsOf({ ...given, archive });
  if (parts.includes('control-database')) await blobs.check();
  return { ...given, archive, parts, taken, blobs } satisfies Work;
}

/** Where the other nodes of this cluster are, when the machine becomes the Core of another one. */
async function findLeft({ node, archive, options }: Work): Promise<string[]> {
  if (options.takes === 'data' || archive.manifest.core === node.file.id) return [];
  const { topology } = await askedOrCopied(node);
  const others = topology?.nodes.filter(({ id }) => id !== node.file.id) ?? [];
  return others.map(({ address }) => address);
}

/** Where the blobs will be looked for afterwards. */
function openBlobsOf({
  node,
  archive: { identity },
  options,
  server,
}: Pick<Work, 'node' | 'archive' | 'options' | 'server'>) {
  if (options.takes === 'data') return openBlobs({ ...node, server });
  const config = decode(ClusterConfig, identity.settings, 'settings of the archive');
  return openBlobs({ paths: node.paths, config, s3: identity.s3, server });
}

/** Fills the import database from the archive, and makes it fit this platform. */
async function fill({ node, server, options, archive, parts, taken, blobs, folder }: Work) {
  options.say('reading the control database of the archive');
  const ours = await readSecrets(node.paths);
  const schemas = schemasFromArchive(parts, options.takes);
  await using reading = await open(join(folder, 'database.dump'), 'r');
  await fillImportDatabase(server, ours.database, {
    ...{ dumpFd: reading.fd, schemas, signal: options.signal },
    isCluster: !node.file.isMicro,
  });
  if (options.takes === 'data') {
    await resealSchemas(server, { schemas, from: archive.identity.secrets.encryptionKey, to: ours.encryptionKey });
  }
  if (!schemas.includes('controller')) return { expired: 0, keptRoutes: 0 };
  const { manifest } = archive;
  const { domain } = node.config.cluster;
  const isMoved = options.takes === 'data' && manifest.domain !== domain;
  const kinds = blobKindsOf(['packages', 'droplets', 'buildpacks', 'resources']);
  const keys = await listBlobKeys(server, importDatabase, kinds);
  return adaptController(server, {
    domains: isMoved ? { from: manifest.domain, to: domain } : undefined,
    missing: await listMissing(blobs, keys, new Set(taken.map(({ key }) => key))),
  });
}

/** Who belongs to this cluster, and who leads in it, is for this cluster to say, unless the machine takes the other's place. */
function schemasFromArchive(parts: readonly DataPart[], takes: PendingSwitch['takes']): string[] {
  if (takes === 'identity') return [...allSchemas];
  return schemasOf(parts).filter((schema) => schema !== 'primary' && schema !== 'health');
}

async function prepareSwitch({ server, archive, options, parts, folder }: Work): Promise<PendingSwitch> {
  const { identity } = archive;
  const common = { archive: options.file, takes: options.takes };
  if (options.takes === 'identity') return { ...common, identity, settings: identity.settings, forsaken: [] };
  const taken = schemasFromArchive(parts, options.takes);
  for (const schema of allSchemas.filter((one) => !taken.includes(one))) {
    const path = join(folder, `${schema}.dump`);
    await using writing = await open(path, 'wx', 0o600);
    await using reading = await open(path, 'r');
    await copySchema(server, schema, { writeFd: writing.fd, readFd: reading.fd, signal: options.signal });
  }
  const ours = await readStoredSettings(server);
  const settings = parts.includes('settings') ? importedSettings(identity.settings, ours) : ours;
  await putSettings(server, settings);
  return { ...common, settings, forsaken: await listForsaken(server, taken) };
}

/** Keys of blobs that the control database speaks of and the import database does not. */
async function listForsaken(server: DatabaseServer, taken: readonly string[]): Promise<string[]> {
  if (!taken.includes('controller')) return [];
  const kinds = ['packages', 'droplets', 'buildpacks', 'resources'];
  const kept = new Set(await listBlobKeys(server, importDatabase, kinds));
  return (await listBlobKeys(server, server.database, kinds)).filter((key) => !kept.has(key));
}

async function finish(
  blobs: BlobStore | undefined,
  pending: PendingSwitch,
  options: LifecycleOptions,
): Promise<OtherNode[]> {
  const node = await openNode();
  await startProcesses(node, listProcesses(node.file), options);
  // Nodes of a Core that was lost come back by themselves.
  const away = pending.takes === 'data' ? await renewOtherControllers(node, options) : [];
  const server = await openServer(node);
  const store = blobs ?? (await openBlobs({ ...node, server }));
  for (const key of pending.forsaken) await store.delete(key);
  await dropReplacedDatabase(server);
  await endSwitch(node.paths);
  return away;
}
