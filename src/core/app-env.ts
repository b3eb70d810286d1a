/** What an app's environment is made of. MB. */
export type EnvFacts = {
  readonly apiUrl: string;
  readonly app: { readonly guid: string; readonly name: string };
  readonly process: { readonly guid: string; readonly type: string; readonly version: string };
  readonly space: { readonly guid: string; readonly name: string };
  readonly organization: { readonly guid: string; readonly name: string };
  readonly uris: readonly string[];
  readonly limits: { readonly memoryMb: number; readonly diskMb: number; readonly fds: number };
};

/** One bound service, as it appears in `VCAP_SERVICES` under its label. */
export type ServiceEntry = {
  readonly label: string;
  readonly name: string;
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
};

/** `VCAP_APPLICATION` as the controller knows it; the DEA adds what belongs to one instance. */
export function vcapApplication(facts: EnvFacts): Record<string, unknown> {
  const { limits } = facts;
  return {
    cf_api: facts.apiUrl,
    limits: { fds: limits.fds, mem: limits.memoryMb, disk: limits.diskMb },
    application_name: facts.app.name,
    application_uris: facts.uris,
    name: facts.app.name,
    space_name: facts.space.name,
    space_id: facts.space.guid,
    organization_id: facts.organization.guid,
    organization_name: facts.organization.name,
    uris: facts.uris,
    process_id: facts.process.guid,
    process_type: facts.process.type,
    application_id: facts.app.guid,
    version: facts.process.version,
    application_version: facts.process.version,
  };
}

/** `VCAP_SERVICES`: bound services by label. */
export function vcapServices(services: readonly ServiceEntry[]): Record<string, ServiceEntry[]> {
  const byLabel: Record<string, ServiceEntry[]> = {};
  for (const service of services) (byLabel[service.label] ??= []).push(service);
  return byLabel;
}

/** The sources of an environment, the later ones win: group, then the app's own, then the platform. */
export type EnvSources = {
  /** The running or the staging group. */
  readonly group: Readonly<Record<string, unknown>>;
  readonly app: Readonly<Record<string, unknown>>;
  readonly services: Readonly<Record<string, readonly ServiceEntry[]>>;
  readonly memoryMb: number;
};

/**
 * The variables that do not belong to one instance, as `K=V`: group → app → `MEMORY_LIMIT` → `DATABASE_URL`.
 * `VCAP_APPLICATION` and `VCAP_SERVICES` travel beside them. Values that are not text are JSON.
 */
export function environmentOf(sources: EnvSources): string[] {
  const databaseUrl = findDatabaseUrl(Object.values(sources.services).flat());
  const merged: Record<string, unknown> = {
    ...sources.group,
    ...sources.app,
    MEMORY_LIMIT: `${sources.memoryMb}m`,
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
  };
  return Object.entries(merged).map(([key, value]) => `${key}=${formatEnvValue(value)}`);
}

/** The text form of a variable's value. */
export function formatEnvValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

const DATABASE_SCHEMES: Readonly<Record<string, string>> = {
  mysql: 'mysql2',
  mysql2: 'mysql2',
  postgres: 'postgres',
  postgresql: 'postgres',
};

/** The first database-like `uri` among bound services' credentials, with the scheme that Rails understands. */
export function findDatabaseUrl(services: readonly ServiceEntry[]): string | undefined {
  for (const { credentials } of services) {
    const uri = credentials?.uri;
    const match = typeof uri === 'string' ? /^([a-z0-9]+):(\/\/.+)$/i.exec(uri) : null;
    const scheme = DATABASE_SCHEMES[match?.[1]?.toLowerCase() ?? ''];
    if (match && scheme) return `${scheme}:${match[2]}`;
  }
  return undefined;
}
