import type { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { CredentialsFile, NodeFile } from '../contract/node.ts';
import { environment, loadClusterConfig } from '../platform/config.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { type Paths, pathsOf } from '../platform/paths.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { Supervisord } from '../supervisor/supervisord.ts';
import { Refusal } from './refusal.ts';

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
  requireRoot();
  const paths = pathsOf(state);
  const [file, credentials] = [
    await readJsonIfExists(paths.nodeFile),
    await readJsonIfExists(paths.credentials('kato')),
  ];
  if (file === undefined || credentials === undefined) {
    throw new Refusal(
      `this node is not set up: ${state} has no complete node.json and credentials`,
      'run `kato node setup micro`',
    );
  }
  const config = await loadClusterConfig(paths);
  const decoded = decode(CredentialsFile, credentials, paths.credentials('kato'));
  return {
    paths,
    file: decode(NodeFile, file, paths.nodeFile),
    config,
    credentials: decoded,
    supervisor: nodeSupervisor(paths, config, decoded),
  };
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
