import type { Static, TSchema } from 'typebox';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { CredentialsFile, NodeFile } from '../contract/node.ts';
import { environment } from '../platform/config.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { type Paths, pathsOf } from '../platform/paths.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { Supervisord } from '../supervisor/supervisord.ts';
import { Refusal } from './refusal.ts';
import { refuseWhileReset } from './reset-mark.ts';

/** This node, as set up. */
export type Node = {
  readonly paths: Paths;
  readonly file: NodeFile;
  readonly config: ClusterConfig;
  readonly credentials: CredentialsFile;
  readonly supervisor: Supervisor;
};

/** Refuses for anybody but root. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Refusal('kato manages this machine and needs root', 'run it again as root, for example with sudo');
}

/** Reads this node's files. Refuses when it has not been set up. */
export async function openNode(state = environment.state): Promise<Node> {
  const node = await findNode(state);
  if (node !== undefined) return node;
  throw new Refusal(
    `this node is not set up: ${state} has no complete node.json and credentials`,
    'run `kato node setup micro`; or, for a cluster, `kato node setup core` or `kato node attach`',
  );
}

/** This node, or undefined before its files are there. Refuses when they can't be read. */
export async function findNode(state = environment.state): Promise<Node | undefined> {
  requireRoot();
  const paths = pathsOf(state);
  await refuseWhileReset(paths);
  const file = await read(NodeFile, paths.nodeFile);
  const credentials = await read(CredentialsFile, paths.credentials('kato'));
  if (file === undefined || credentials === undefined) return undefined;
  const config = (await read(ClusterConfig, paths.clusterFile)) ?? decode(ClusterConfig, {}, paths.clusterFile);
  return { paths, file, config, credentials, supervisor: nodeSupervisor(paths, config, credentials) };
}

async function read<T extends TSchema>(schema: T, path: string): Promise<Static<T> | undefined> {
  try {
    const value = await readJsonIfExists(path);
    return value === undefined ? undefined : decode(schema, value, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal(reason, `mend ${path}, or put it back from a backup`, { cause });
  }
}

function nodeSupervisor(paths: Paths, config: ClusterConfig, credentials: CredentialsFile): Supervisor {
  const { user = '', password = '' } = credentials.supervisor ?? {};
  return new Supervisord({
    folder: paths.supervisor,
    logFolder: paths.log,
    state: paths.state,
    port: config.primary.supervisorPort,
    user,
    password,
    environment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', HOME: '/' },
  });
}
