/** What the operator's environment says about reaching the outside: keys of the configuration's `staging` section. */
export type StagingSettings = {
  readonly environment: Readonly<Record<string, string>>;
  readonly caFile: string;
  readonly npmRegistry: string;
  readonly pipIndex: string;
  readonly gemSource: string;
  readonly goProxy: string;
  readonly mavenMirror: string;
  readonly composerRepository: string;
};

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'];
const CA_FILES = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'];
const PASSED_ON = [
  'GONOSUMDB',
  'GONOSUMCHECK',
  'GOFLAGS',
  'GOSUMDB',
  'GOPRIVATE',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
];

/**
 * The staging settings that an operator's environment implies, so that staging reaches the registries that set-up
 * itself reached. Both spellings of proxy variables are set, because programs differ.
 *
 * @param isFile whether a path is a readable file; the first certificate bundle that is one counts
 */
export function stagingSettings(
  environment: Readonly<Record<string, string | undefined>>,
  isFile: (path: string) => boolean,
): StagingSettings {
  const read = (name: string) =>
    environment[name] || environment[name.toLowerCase()] || environment[name.toUpperCase()] || '';
  const passed: Record<string, string> = {};
  for (const name of PROXIES) {
    const value = read(name);
    if (value !== '') Object.assign(passed, { [name]: value, [name.toLowerCase()]: value });
  }
  for (const name of PASSED_ON) if (environment[name]) passed[name] = environment[name];
  const bundles = [...CA_FILES.map(read), '/etc/ssl/certs/ca-certificates.crt'];
  return {
    environment: passed,
    caFile: bundles.find((path) => path !== '' && isFile(path)) ?? '',
    npmRegistry: read('npm_config_registry'),
    pipIndex: read('PIP_INDEX_URL'),
    gemSource: read('BUNDLE_MIRROR__ALL') || read('GEM_SOURCE'),
    goProxy: read('GOPROXY'),
    mavenMirror: read('MAVEN_MIRROR_URL'),
    composerRepository: read('COMPOSER_REPO_PACKAGIST'),
  };
}

/** The settings that say something, in words for the operator; a password in a URL is not shown. */
export function describeStagingSettings(settings: StagingSettings): string[] {
  const { environment, ...rest } = settings;
  const lines = Object.entries({ ...rest, ...environment }).filter(([, value]) => value !== '');
  return lines.map(([name, value]) => `${name} = ${value.replace(/\/\/[^/@\s]+@/g, '//[hidden]@')}`);
}
