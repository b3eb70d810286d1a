import { chown, mkdir, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import Type, { type Static } from 'typebox';
import { ClusterConfig } from '../../contract/config.ts';
import { ArchiveIdentity } from '../../contract/data-archive.ts';
import { decode } from '../../contract/decode.ts';
import { Topology } from '../../contract/topology.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { readJsonIfExists, writeFileAtomic } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';
import { getUser } from '../../platform/system-user.ts';
import { type LifecycleOptions, startProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { ensureBusConfig } from '../setup/bus.ts';
import { ensureCertificates } from '../setup/certificates.ts';
import { ensureLinks } from '../setup/links.ts';
import { readSecrets, type Secrets, writeSecrets } from '../setup/secrets.ts';
import { writeCredentials, writeNode } from '../setup/state-folder.ts';
import { prepareControlDatabase } from '../store/control-database.ts';
import { databaseServer } from '../store/database-server.ts';
import { switchDatabases } from '../store/imported-database.ts';
import { writeTopology } from '../topology-file.ts';

/** What an import that began to change things must finish; all of it is on this node's disk. */
export const PendingSwitch = Type.Object({
  archive: Type.String({ description: 'path of the archive, for people' }),
  /** Everything, so that this machine is the Core of that very cluster; or its data alone. */
  takes: Type.Union([Type.Literal('identity'), Type.Literal('data')]),
  /** With `identity` alone. */
  identity: Type.Optional(ArchiveIdentity),
  settings: Type.Unknown(),
  forsaken: Type.Array(Type.String(), { description: 'keys of blobs that nothing speaks of afterwards' }),
});
export type PendingSwitch = Static<typeof PendingSwitch>;

const journal = (paths: Paths) => join(paths.setup, 'data-import.json');

/** The import that was cut short after it began to change things, or undefined. */
export async function findPendingSwitch(paths: Paths): Promise<PendingSwitch | undefined> {
  const value = await readJsonIfExists(journal(paths));
  return value === undefined ? undefined : decode(PendingSwitch, value, journal(paths));
}

/** From here on the import goes forward only: whoever comes next finishes it. */
export async function beginSwitch(paths: Paths, pending: PendingSwitch): Promise<void> {
  await writeFileAtomic(journal(paths), `${JSON.stringify(pending)}\n`, 0o600);
}

/** The switch is done, and its processes were seen to run. */
export async function endSwitch(paths: Paths): Promise<void> {
  await rm(journal(paths), { force: true });
}

/** Makes the imported data the platform's; repeating it after an interruption finishes it. Processes that use it are stopped. */
export async function applySwitch(node: Node, pending: PendingSwitch, options: LifecycleOptions): Promise<void> {
  const { paths, file } = node;
  const database = listProcesses(file).filter(({ name }) => name === 'postgresql');
  await startProcesses(node, database, options);
  const ours = await readSecrets(paths);
  await switchDatabases(databaseServer(paths, ours));
  const secrets = pending.identity === undefined ? ours : restoredSecrets(pending.identity.secrets, ours);
  await writeSecrets(paths, secrets);
  const stackato = await getUser('stackato');
  await writeOwnedFile(paths.clusterFile, `${JSON.stringify(pending.settings, null, 2)}\n`, {
    owner: { uid: 0, gid: stackato.gid },
    mode: 0o640,
  });
  const { bus } = decode(ClusterConfig, pending.settings, 'settings of the archive');
  await writeCredentials(paths, stackato, { busPort: bus.port });
  const server = databaseServer(paths, { ...ours, database: secrets.database });
  await prepareControlDatabase(server, secrets.database, { isCluster: !file.isMicro });
  if (pending.identity !== undefined) await takeIdentity(node, pending.identity);
}

/** What belongs to the machine stays: its supervisor, and where its database is. */
function restoredSecrets(theirs: ArchiveIdentity['secrets'], { supervisor, databaseServer: url }: Secrets): Secrets {
  return { ...theirs, supervisor, ...(url === undefined ? {} : { databaseServer: url }) };
}

/** This machine becomes the one that the archive is of: its names and keys, at this machine's address, with its roles. */
async function takeIdentity(node: Node, identity: ArchiveIdentity): Promise<void> {
  const { paths, file } = node;
  const [root, stackato] = [await getUser('root'), await getUser('stackato')];
  for (const [path, content] of Object.entries(identity.files)) {
    if (join(paths.state, path) === paths.topologyFile) continue;
    const isPublic = join(paths.state, path) === paths.caCertificate;
    await mkdir(dirname(join(paths.state, path)), { recursive: true });
    await writeOwnedFile(join(paths.state, path), content, { owner: root, mode: isPublic ? 0o644 : 0o600 });
  }
  const { id, index, zone, zones = [], availabilityZone } = identity.node;
  await writeNode(paths, { ...file, id, index, zone, zones, availabilityZone });
  await restoreTopology(node, identity);
  const after = await openNode(paths.state);
  // Passwords go by how often they were renewed, which the topology tells.
  await writeCredentials(paths, stackato, { busPort: after.config.bus.port });
  await ensureCertificates(after);
  await ensureBusConfig(after);
  if (file.isMicro) return;
  await ensureLinks(after);
  // The key signs the certificates of nodes, which the primary does.
  await chown(paths.caKey, stackato.uid, stackato.gid);
}

async function restoreTopology({ paths, file }: Node, { node: { id }, files }: ArchiveIdentity): Promise<void> {
  const text = files[relative(paths.state, paths.topologyFile)];
  if (text === undefined || file.isMicro) return;
  const known = decode(Topology, JSON.parse(text), 'topology.json of the archive');
  const { address, roles } = file;
  await writeTopology(paths, {
    ...known,
    nodes: known.nodes.map((one) => (one.id === id ? { ...one, address, roles } : one)),
  });
}
