import { isDeepStrictEqual } from 'node:util';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { CredentialsFile, NodeFile } from '../contract/node.ts';
import { liveSettings } from '../core/config-effect.ts';
import { type Clock, systemClock } from './clock.ts';
import { readJsonIfExists } from './files.ts';
import { createLog, type Log } from './log.ts';
import { type Paths, pathsOf } from './paths.ts';
import { type Random, systemRandom } from './random.ts';

/** What this process was told by its environment. The only reader of it. */
export const environment = {
  /** State folder of this node. */
  state: process.env.STACKATO_STATE || '/var/lib/stackato',
  logLevel: process.env.STACKATO_LOG_LEVEL || 'info',
  home: process.env.HOME || '/',
  /** Set to any non-empty value: no colour. */
  noColor: Boolean(process.env.NO_COLOR),
  ci: Boolean(process.env.CI),
  path: process.env.PATH || '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  /** Any STACKATO_* variable by its name without the prefix. */
  stackato: (name: string): string | undefined => process.env[`STACKATO_${name}`],
  /** Any variable at all; for handing an operator's settings on, never for our own. */
  all: (): Readonly<Record<string, string | undefined>> => process.env,
} as const;

/** Everything a process needs to know before it builds anything. */
export type Boot = {
  readonly process: string;
  readonly node: NodeFile;
  /** As it was at start, but for `liveSettings`: who reads one when it needs it has it as it is now. */
  readonly config: ClusterConfig;
  readonly credentials: CredentialsFile;
  readonly paths: Paths;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Fires when this process must end. Its reason is 'SIGUSR2' when what it looks after (containers, the proxy) must
   * go on without it, for a successor to adopt; otherwise what it looks after ends too.
   */
  readonly stop: AbortSignal;
};

/**
 * Reads `node.json`, `cluster.json` and this process's credentials.
 *
 * @throws Error naming the missing or wrong file and what to run
 */
export async function loadBoot(processName: string, stop: AbortSignal, state = environment.state): Promise<Boot> {
  const paths = pathsOf(state);
  const read = async (path: string) => {
    const value = await readJsonIfExists(path);
    if (value === undefined) throw new Error(`${path} does not exist; run \`kato node setup micro\` first`);
    return value;
  };
  return {
    process: processName,
    node: Object.freeze(decode(NodeFile, await read(paths.nodeFile), paths.nodeFile)),
    config: Object.freeze(await loadClusterConfig(paths)),
    credentials: Object.freeze(
      decode(CredentialsFile, await read(paths.credentials(processName)), paths.credentials(processName)),
    ),
    paths,
    log: createLog(processName, environment.logLevel),
    clock: systemClock,
    random: systemRandom,
    stop,
  };
}

/** The cluster configuration as this node last saw it; defaults where the file is silent or absent. */
export async function loadClusterConfig(paths: Paths): Promise<ClusterConfig> {
  return decode(ClusterConfig, (await readJsonIfExists(paths.clusterFile)) ?? {}, paths.clusterFile);
}

/**
 * Takes the settings over that may change while a process runs; all others stay as they were when it started.
 *
 * @returns those that changed
 */
export function takeLiveSettings(config: ClusterConfig, next: ClusterConfig): string[] {
  return liveSettings.filter((path) => {
    const [section = '', key = ''] = path.split('.');
    const [ours, theirs] = [sectionOf(config, section), sectionOf(next, section)];
    if (isDeepStrictEqual(ours[key], theirs[key])) return false;
    ours[key] = theirs[key];
    return true;
  });
}

function sectionOf(config: ClusterConfig, section: string): Record<string, unknown> {
  return (config as Record<string, Record<string, unknown>>)[section] ?? {};
}
