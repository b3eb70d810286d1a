/** The parts of a route's address. `path` begins with `/` or is empty. */
export type RouteAddress = {
  readonly host: string;
  readonly domain: string;
  readonly path: string;
  readonly port: number | null;
};

/** How the API and the routers write a route: `host.domain/path` or `domain:port`. */
export function formatRoute({ host, domain, path, port }: RouteAddress): string {
  return `${host === '' ? '' : `${host}.`}${domain}${port === null ? '' : `:${port}`}${path}`;
}

/** What is wrong with the host and path of an HTTP route; empty when nothing is. */
export function routeFaults(
  route: { host: string; path: string },
  domain: { name: string; isShared: boolean; isInternal: boolean },
): string[] {
  const { host, path } = route;
  const faults: string[] = [];
  if (host !== '' && host !== '*' && !/^[\w-]+(\.[\w-]+)*$/.test(host)) {
    faults.push('Host must be either "*" or contain only alphanumeric characters, "_", or "-"');
  }
  if (host.split('.').some((label) => label.length > 63)) faults.push('Host is too long (maximum is 63 characters)');
  if (host === '' && domain.isShared) faults.push('Missing host. Routes in shared domains must have a host defined.');
  if (path !== '' && !path.startsWith('/')) faults.push('Path must begin with /');
  if (path === '/') faults.push('Path cannot be exactly /');
  if (path.length > 128) faults.push('Path is too long (maximum is 128 characters)');
  if (/[?#\s%"'<>\\]/.test(path)) faults.push('Path contains a character that a path cannot have');
  if (domain.isInternal && host === '*') faults.push('Wildcard hosts are not supported for internal domains.');
  if (domain.isInternal && path !== '') faults.push('Paths are not supported for internal domains.');
  if (`${host}.${domain.name}`.length > 253)
    faults.push('Host combined with domain name must be no more than 253 characters');
  return faults;
}

/** `host 'h' and path '/p'` as in "Route already exists with …"; undefined for a bare domain. */
export function describeRoute({ host, path, port }: Pick<RouteAddress, 'host' | 'path' | 'port'>): string | undefined {
  const parts = [
    ...(host === '' ? [] : [`host '${host}'`]),
    ...(path === '' ? [] : [`path '${path}'`]),
    ...(port === null ? [] : [`port '${port}'`]),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}

/** What is wrong with a domain's name; undefined when nothing is. */
export function domainNameFault(name: string): string | undefined {
  if (name.length > 253) return 'Name is too long (maximum is 253 characters)';
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(name)) {
    return 'Name must consist of labels of letters, digits and hyphens, with a dot between them';
  }
  const isBadLabel = (label: string) => label.length > 63 || label.startsWith('-') || label.endsWith('-');
  return name.split('.').some(isBadLabel)
    ? 'Name has a label that is too long or begins or ends with a hyphen'
    : undefined;
}
