import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { busPassword } from '../../bus/server-config.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { systemHosts } from '../../contract/hosts.ts';
import { CredentialsFile, type NodeFile } from '../../contract/node.ts';
import { busUserNames } from '../../core/bus-permissions.ts';
import { coreRoles, microRoles, planRoleChange, type RoleGroups, resolveRoles } from '../../core/role-plan.ts';
import { describeStagingSettings, stagingSettings } from '../../core/staging-settings.ts';
import { isFileSync } from '../../platform/accessible.ts';
import { environment } from '../../platform/config.ts';
import { readJsonIfExists, readTextIfExists } from '../../platform/files.ts';
import { findAddress } from '../../platform/network-address.ts';
import { ensureOwnedFolder, writeOwnedFile } from '../../platform/owned-files.ts';
import { type Paths, pathsOf, sourceRoot } from '../../platform/paths.ts';
import { otherLogin, postgresqlUrl } from '../../platform/postgresql.ts';
import { systemRandom } from '../../platform/random.ts';
import { ensureUser, getUser, type SystemUser } from '../../platform/system-user.ts';
import { findOpenCode, isStateOpen, openCode } from '../code.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { ensureRoleGroupsFile, readRoleGroups } from '../role-groups.ts';
import { findTopology } from '../topology-file.ts';
import { beginSetUp, leaveMark, OTHER_KIND } from './marks.ts';
import { readOrMakeSecrets, type Secrets } from './secrets.ts';
import type { SetupContext, SetupOptions, Step } from './step.ts';

const root: SystemUser = { name: 'root', uid: 0, gid: 0 };

/** Folders, node.json, cluster.json and the credentials; what is there is kept. */
export const writeState: Step = {
  title: 'State folder and credentials',
  run: async (context) => {
    const paths = pathsOf(context.options.state);
    const [stackato, postgres] = [await ensureUser('stackato'), await getUser('postgres')];
    await makeFolders(paths, { stackato, postgres });
    const { kind, domain } = context.options;
    const endpoint = kind === 'core' && domain !== undefined ? ` ${systemHosts(domain).api}` : '';
    await beginSetUp(paths, `kato node setup ${kind}${endpoint}`);
    const wrote = [await writeNodeFile(paths, context), await writeClusterFile(paths, context, stackato)];
    wrote.push(await writeCredentials(paths, stackato, { busPort: (await plannedConfig(context)).bus.port }));
    await openCode(paths);
    if ((await findOpenCode(paths)) === undefined) context.notes.push(await whyAllRoot(paths));
    return wrote.some(Boolean) ? 'done' : 'already';
  },
};

async function whyAllRoot(paths: Paths): Promise<string> {
  const closed = (await isStateOpen(paths))
    ? `read ${sourceRoot}: \`chmod -R go+rX ${sourceRoot}\` changes that`
    : `reach ${paths.state}: a state folder below folders that all may enter changes that`;
  return `every process but the database runs as root, because the account stackato can't ${closed}`;
}

/** The configuration as set-up would make it. */
export async function plannedConfig(context: SetupContext): Promise<ClusterConfig> {
  const existing = await readJsonIfExists(pathsOf(context.options.state).clusterFile);
  return decode(ClusterConfig, existing ?? initialConfig(context).config, 'cluster configuration');
}

function initialConfig({ options }: SetupContext) {
  const staging = stagingSettings(environment.all(), isFileSync);
  const config = { cluster: { domain: options.domain ?? 'stackato.localhost' }, staging };
  return { config, described: describeStagingSettings(staging) };
}

/** The state folder's own folders, each with its owner. */
export async function makeFolders(paths: Paths, users: { stackato: SystemUser; postgres: SystemUser }): Promise<void> {
  await mkdir(paths.state, { recursive: true });
  const folders: [string, SystemUser, number][] = [
    [paths.state, root, 0o755],
    [join(paths.state, 'credentials'), root, 0o755],
    [paths.tls, root, 0o755],
    [paths.run, root, 0o755],
    [paths.log, root, 0o755],
    [paths.setup, root, 0o700],
    [paths.supervisor, root, 0o700],
    [paths.link, users.stackato, 0o700],
    [dirname(paths.registrySocket), users.stackato, 0o700],
    [paths.nats, users.stackato, 0o700],
    [paths.postgresql, users.postgres, 0o700],
    [join(paths.run, 'postgresql'), users.postgres, 0o755],
    [paths.blobs, users.stackato, 0o700],
    [paths.logyard, users.stackato, 0o700],
    [paths.scratch, users.stackato, 0o700],
    [paths.fence, root, 0o711],
    [paths.router, root, 0o755],
    [paths.balancer, root, 0o700],
    [paths.dea, root, 0o700],
    [paths.stager, root, 0o700],
    [join(paths.run, 'compiled'), root, 0o755],
    [join(paths.run, 'compiled', 'root'), root, 0o700],
    [join(paths.run, 'compiled', 'stackato'), users.stackato, 0o700],
  ];
  for (const [path, owner, mode] of folders) await ensureOwnedFolder(path, { owner, mode });
  await ensureRoleGroupsFile(paths);
}

async function writeNodeFile(paths: Paths, { options }: SetupContext): Promise<boolean> {
  const existing = (await readJsonIfExists(paths.nodeFile)) as Partial<NodeFile> | undefined;
  const isMicro = options.kind === 'micro';
  const planned = rolesOf(options, await readRoleGroups(paths));
  const isOtherKind = existing !== undefined && (existing.isMicro ?? false) !== isMicro;
  const keeps = options.roles.length === 0 && !isOtherKind;
  if (isOtherKind) await leaveMark(paths, OTHER_KIND);
  const address = await findAddress();
  const hostsFile = environment.stackato('HOSTS_FILE') ?? existing?.hostsFile;
  const node: NodeFile = {
    id: existing?.id ?? systemRandom.hex(16),
    index: existing?.index ?? 0,
    address,
    coreAddress: address,
    roles: keeps ? (existing?.roles ?? planned) : planned,
    zone: existing?.zone ?? 'default',
    ...(existing?.zones === undefined ? {} : { zones: existing.zones }),
    availabilityZone: existing?.availabilityZone ?? 'default',
    ...(isMicro ? { isMicro } : {}),
    ...(existing?.isDatabaseOutside ? { isDatabaseOutside: true } : {}),
    ...(hostsFile === undefined ? {} : { hostsFile }),
  };
  return writeNode(paths, node);
}

/** The roles that set-up gives a node that is on its own. */
function rolesOf({ kind, roles }: Pick<SetupOptions, 'kind' | 'roles'>, groups: RoleGroups): string[] {
  const given = roles.length > 0 ? roles : kind === 'micro' ? microRoles : coreRoles;
  const wanted = resolveRoles(given, groups);
  if ('refused' in wanted) throw new Refusal(wanted.refused);
  const change = planRoleChange(
    { roles: ['base', 'primary'], isCore: true, isMicro: kind === 'micro' },
    { add: wanted.filter((role) => role !== 'base' && role !== 'primary'), remove: [] },
  );
  if ('refused' in change) throw new Refusal(change.refused);
  return [...change.roles];
}

/** Later changes go through `kato config set`: the file is a copy of what the primary keeps. */
async function writeClusterFile(paths: Paths, context: SetupContext, stackato: SystemUser): Promise<boolean> {
  if ((await readTextIfExists(paths.clusterFile)) !== undefined) return false;
  const { config, described } = initialConfig(context);
  for (const line of described) context.terminal.say(`        staging: ${line}`);
  const text = `${JSON.stringify(config, null, 2)}\n`;
  return writeOwnedFile(paths.clusterFile, text, { owner: { uid: 0, gid: stackato.gid }, mode: 0o640 });
}

/** Writes the credentials of every process from the cluster's secrets. Gives true when some changed. */
export async function writeCredentials(
  paths: Paths,
  stackato: SystemUser,
  options: { busPort: number },
): Promise<boolean> {
  const secrets = await readOrMakeSecrets(paths);
  const s3 = await readS3Keys(paths);
  const topology = await findTopology(paths);
  const generation = topology?.nodes.find(({ id }) => id === topology.core)?.generation ?? 1;
  let wrote = false;
  for (const name of busUserNames) {
    const own = credentialsOf(name, paths, { ...secrets, busPort: options.busPort, generation });
    const file = name === 'controller' && s3 !== undefined ? { ...own, s3 } : own;
    const owner = ['router', 'load_balancer', 'dea', 'stager', 'base', 'kato'].includes(name) ? root : stackato;
    wrote =
      (await writeOwnedFile(paths.credentials(name), `${JSON.stringify(file, null, 2)}\n`, { owner, mode: 0o600 })) ||
      wrote;
  }
  return wrote;
}

/** The keys of the S3 server, which the operator gave to the controllers. */
export async function readS3Keys(paths: Paths): Promise<CredentialsFile['s3']> {
  const path = paths.credentials('controller');
  const value = await readJsonIfExists(path);
  return value === undefined ? undefined : decode(CredentialsFile, value, path).s3;
}

function credentialsOf(
  name: string,
  paths: Paths,
  secrets: Secrets & { busPort: number; generation: number },
): CredentialsFile {
  const databasePassword = secrets.database[name];
  const holdsKeys = name === 'controller' || name === 'aok';
  const keys = {
    encryptionKey: secrets.encryptionKey,
    clientSecrets: secrets.clients,
    signingKey: secrets.signingKey,
  };
  return {
    bus: {
      servers: [`tls://127.0.0.1:${secrets.busPort}`],
      user: name,
      password: busPassword(secrets.nodeKey, { user: name, generation: secrets.generation }),
      caFile: paths.caCertificate,
    },
    ...(databasePassword === undefined
      ? {}
      : { databaseUrl: databaseUrl(paths, secrets, { name, password: databasePassword }) }),
    ...(holdsKeys ? keys : {}),
    ...(name === 'kato' ? { signingKey: secrets.signingKey } : {}),
    ...(name === 'primary' ? { ...keys, nodeKey: secrets.nodeKey } : {}),
    ...(name === 'base' || name === 'kato' ? { supervisor: { user: 'kato', password: secrets.supervisor } } : {}),
  };
}

function databaseUrl(paths: Paths, { databaseServer }: Secrets, user: { name: string; password: string }): string {
  return databaseServer === undefined ? postgresqlUrl(paths, user) : otherLogin(databaseServer, user);
}

/** Follows a change of a micro cloud's own address. Gives true when it changed. */
export async function refreshAddress(node: Node): Promise<boolean> {
  if (!node.file.isMicro) return false;
  const address = await findAddress();
  return address !== node.file.address && writeNode(node.paths, { ...node.file, address, coreAddress: address });
}

/** Writes who this node is. */
export function writeNode(paths: Paths, node: NodeFile): Promise<boolean> {
  return writeOwnedFile(paths.nodeFile, `${JSON.stringify(node, null, 2)}\n`, { owner: root, mode: 0o644 });
}
