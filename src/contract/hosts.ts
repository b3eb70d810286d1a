/** Host names of the platform's own endpoints below the cluster's domain. */
export function systemHosts(domain: string) {
  return {
    api: `api.${domain}`,
    console: `console.${domain}`,
    login: `login.${domain}`,
    uaa: `uaa.${domain}`,
    aok: `aok.${domain}`,
    logCache: `log-cache.${domain}`,
    ssh: `ssh.${domain}`,
    doppler: `doppler.${domain}`,
    logStream: `log-stream.${domain}`,
  } as const;
}

/** First labels that no app may take on the platform's own domain. */
export const reservedHosts: readonly string[] = [
  'api',
  'console',
  'login',
  'uaa',
  'aok',
  'log-cache',
  'ssh',
  'doppler',
  'log-stream',
];
