import { join } from 'node:path';
import { readJsonIfExists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import type { Paths } from '../../platform/paths.ts';
import { systemRandom } from '../../platform/random.ts';
import { Refusal } from '../refusal.ts';

const root = { uid: 0, gid: 0 };
const DATABASE_USERS = ['primary', 'controller', 'aok', 'health_manager'];

/** Every secret of the cluster. */
export type Secrets = {
  database: Record<string, string>;
  clients: Record<string, string>;
  encryptionKey: string;
  signingKey: string;
  /** Passwords of the bus, and those of other nodes for the database, are derived from it. */
  nodeKey: string;
  supervisor: string;
  /** URL of a server of the operator's that holds the control database, as its administrator; without, it is the Core's own. */
  databaseServer?: string;
  /** The nightly backups are encrypted with it. */
  backupPassphrase: string;
};

/** One file holds every secret of the cluster, so that an interrupted set-up never mixes old and new ones. */
export async function readOrMakeSecrets(paths: Paths): Promise<Secrets> {
  const file = join(paths.setup, 'secrets.json');
  const existing = ((await readJsonIfExists(file)) ?? {}) as Partial<Secrets>;
  const password = () => systemRandom.hex(24);
  const key = () => Buffer.from(systemRandom.hex(32), 'hex').toString('base64');
  const each = (names: readonly string[], kept: Record<string, string> = {}) =>
    Object.fromEntries(names.map((name) => [name, kept[name] ?? password()]));
  const secrets: Secrets = {
    database: each(DATABASE_USERS, existing.database),
    clients: each(['ssh-proxy', 'cloud_controller', 'doppler', 'logyard'], existing.clients),
    encryptionKey: existing.encryptionKey ?? key(),
    signingKey: existing.signingKey ?? key(),
    nodeKey: existing.nodeKey ?? key(),
    supervisor: existing.supervisor ?? password(),
    backupPassphrase: existing.backupPassphrase ?? password(),
    ...(existing.databaseServer === undefined ? {} : { databaseServer: existing.databaseServer }),
  };
  await writeSecrets(paths, secrets);
  return secrets;
}

/** Makes these the cluster’s secrets; those that are left out are made anew when they are asked for. */
export async function writeSecrets(paths: Paths, secrets: Partial<Secrets>): Promise<void> {
  const file = join(paths.setup, 'secrets.json');
  await writeOwnedFile(file, `${JSON.stringify(secrets, null, 2)}\n`, { owner: root, mode: 0o600 });
}

/** Every secret of the cluster, as set-up made them. */
export async function readSecrets(paths: Paths): Promise<Secrets> {
  const secrets = (await readJsonIfExists(join(paths.setup, 'secrets.json'))) as Secrets | undefined;
  if (secrets === undefined)
    throw new Refusal(`${paths.setup}/secrets.json is missing`, 'run `kato node setup micro` again');
  return secrets;
}
