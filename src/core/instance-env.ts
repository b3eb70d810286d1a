import { findDatabaseUrl, formatEnvValue, type ServiceEntry } from './app-env.ts';
import { appHome } from './launch-command.ts';

/** What an instance's environment is made of. */
export type InstanceFacts = {
  readonly instance: string;
  readonly index: number;
  /** `K=V`, split at the first `=`; later ones win. */
  readonly env: readonly string[];
  readonly vcapApplication: Readonly<Record<string, unknown>>;
  readonly vcapServices: Readonly<Record<string, unknown>>;
  readonly memoryMb: number;
  /** Inside the container. */
  readonly port: number;
  /** On the node. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerAddress: string;
  /** Epoch ms. */
  readonly startedAtMs: number;
};

const LISTEN = '0.0.0.0';

/**
 * The whole environment of one instance. Later wins: defaults → what the start message carries (running group, app) →
 * `VCAP_APPLICATION`, `MEMORY_LIMIT` → `VCAP_SERVICES` → `DATABASE_URL` → what the launcher knows.
 */
export function instanceEnv(facts: InstanceFacts): Record<string, string> {
  const databaseUrl = findDatabaseUrl(listServices(facts.vcapServices));
  return {
    LANG: 'en_US.UTF-8',
    ...fromPairs(facts.env),
    VCAP_APPLICATION: JSON.stringify(vcapApplicationOf(facts)),
    MEMORY_LIMIT: `${facts.memoryMb}m`,
    VCAP_SERVICES: JSON.stringify(facts.vcapServices),
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    ...launcherVariables(facts),
  };
}

/** `K=V` pairs as a record; a pair without `=` is an empty variable. */
export function fromPairs(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function vcapApplicationOf(facts: InstanceFacts): Record<string, unknown> {
  const { users: _users, ...known } = facts.vcapApplication;
  const startedAtS = Math.floor(facts.startedAtMs / 1000);
  const startedAt = `${new Date(startedAtS * 1000).toISOString().slice(0, 19).replace('T', ' ')} +0000`;
  return {
    ...known,
    instance_id: facts.instance,
    instance_index: facts.index,
    host: LISTEN,
    port: facts.port,
    started_at: startedAt,
    started_at_timestamp: startedAtS,
    start: startedAt,
    state_timestamp: startedAtS,
  };
}

function launcherVariables(facts: InstanceFacts): Record<string, string> {
  const index = formatEnvValue(facts.index);
  return {
    HOME: appHome.app,
    USER: appHome.user,
    TMPDIR: appHome.tmp,
    DEPS_DIR: appHome.deps,
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    PORT: String(facts.port),
    VCAP_APP_PORT: String(facts.port),
    VCAP_APP_HOST: LISTEN,
    INSTANCE_INDEX: index,
    CF_INSTANCE_INDEX: index,
    INSTANCE_GUID: facts.instance,
    CF_INSTANCE_GUID: facts.instance,
    CF_INSTANCE_IP: facts.hostAddress,
    CF_INSTANCE_INTERNAL_IP: facts.containerAddress,
    CF_INSTANCE_PORT: String(facts.hostPort),
    CF_INSTANCE_ADDR: `${facts.hostAddress}:${facts.hostPort}`,
    CF_INSTANCE_PORTS: JSON.stringify([{ external: facts.hostPort, internal: facts.port }]),
  };
}

function listServices(byLabel: Readonly<Record<string, unknown>>): ServiceEntry[] {
  return Object.values(byLabel).flatMap((list) => (Array.isArray(list) ? list : []));
}
