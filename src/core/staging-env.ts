import type { StagingSettings } from './staging-settings.ts';

export type StagingEnvInput = {
  /** K=V, the app's own variables. */
  readonly appEnvironment: readonly string[];
  readonly vcapApplication: Readonly<Record<string, unknown>>;
  readonly vcapServices: Readonly<Record<string, unknown>>;
  readonly stack: string;
  readonly memoryMb: number;
  readonly timeoutS: number;
  readonly settings: StagingSettings;
};

/** Where the certificates of a container are; the operator's bundle is put over this file. */
export const caBundlePath = '/etc/ssl/certs/ca-certificates.crt';

/** Where things are inside a staging container. */
export const stagingPaths = {
  home: '/home/vcap',
  app: '/home/vcap/app',
  deps: '/home/vcap/deps',
  profile: '/home/vcap/profile.d',
  staging: '/staging',
  /** Read-only: the script that runs the build. */
  builder: '/staging/builder',
  /** Read-only: what the stager hands in. */
  input: '/staging/in',
  /** Written by the build, read by the stager. */
  output: '/staging/out',
  cache: '/staging/cache',
  buildpacks: '/staging/buildpacks',
} as const;

/**
 * The whole environment of a staging container. Later wins: short network timeouts, the operator's settings, the
 * app's variables, the platform's.
 */
export function stagingEnvironment(input: StagingEnvInput): Record<string, string> {
  return {
    ...patience,
    ...registries(input.settings),
    ...input.settings.environment,
    ...certificates(input.settings.caFile),
    ...variables(input.appEnvironment),
    ...platform(input),
  };
}

/** Splits `K=V` at the first `=`; what has no name is left out. */
export function variables(list: readonly string[]): Record<string, string> {
  const pairs = list.map((text) => [text.split('=', 1)[0] ?? '', text.slice(text.indexOf('=') + 1)] as const);
  return Object.fromEntries(pairs.filter(([name], i) => name !== '' && list[i]?.includes('=')));
}

/** A registry that does not answer must be noticed in minutes, not when the staging time is over. */
const patience = {
  npm_config_fetch_retries: '2',
  npm_config_fetch_retry_mintimeout: '1000',
  npm_config_fetch_retry_maxtimeout: '5000',
  npm_config_fetch_timeout: '60000',
  PIP_DEFAULT_TIMEOUT: '20',
  PIP_RETRIES: '2',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  BUNDLE_RETRY: '1',
  BUNDLE_TIMEOUT: '20',
  GIT_TERMINAL_PROMPT: '0',
};

function registries(settings: StagingSettings): Record<string, string> {
  return withoutEmpty({
    npm_config_registry: settings.npmRegistry,
    PIP_INDEX_URL: settings.pipIndex,
    // pip passes over an index without TLS unless it is told to trust it, and the operator chose it.
    PIP_TRUSTED_HOST: /^http:\/\/(?:[^/@]*@)?([^/:?]+)/.exec(settings.pipIndex)?.[1] ?? '',
    GOPROXY: settings.goProxy,
    BUNDLE_MIRROR__ALL: settings.gemSource,
    MAVEN_MIRROR: settings.mavenMirror,
    COMPOSER_REPOSITORY: settings.composerRepository,
  });
}

function certificates(caFile: string): Record<string, string> {
  if (caFile === '') return {};
  const readers = [
    'SSL_CERT_FILE',
    'NODE_EXTRA_CA_CERTS',
    'PIP_CERT',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'GIT_SSL_CAINFO',
    'npm_config_cafile',
    'BUNDLE_SSL_CA_CERT',
  ];
  return Object.fromEntries(readers.map((name) => [name, caBundlePath]));
}

function platform(input: StagingEnvInput): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: stagingPaths.home,
    USER: 'vcap',
    LANG: 'C.UTF-8',
    TMPDIR: '/tmp',
    DEPS_DIR: stagingPaths.deps,
    CF_STACK: input.stack,
    MEMORY_LIMIT: `${input.memoryMb}m`,
    STAGING_TIMEOUT: String(input.timeoutS),
    VCAP_APPLICATION: JSON.stringify(input.vcapApplication),
    VCAP_SERVICES: JSON.stringify(input.vcapServices),
    CF_INSTANCE_ADDR: '',
    CF_INSTANCE_PORT: '',
    CF_INSTANCE_PORTS: '[]',
  };
}

function withoutEmpty(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}
