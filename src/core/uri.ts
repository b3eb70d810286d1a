const HOST = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const PATH = /^(?:\/[a-z0-9\-._~!$&()*+,=:@%/]*)?$/;
const LONGEST = 1024;

/**
 * The key of a route's uri (`host`, `host/path` or `*.domain`): lower-cased, without query and trailing slash.
 *
 * @returns undefined when the text is not such a uri
 */
export function parseUri(text: string): string | undefined {
  const [base = ''] = text.toLowerCase().split('?');
  const key = base.replace(/\/+$/, '');
  const slash = key.indexOf('/');
  const host = slash < 0 ? key : key.slice(0, slash);
  const path = slash < 0 ? '' : key.slice(slash);
  return key.length <= LONGEST && HOST.test(host) && PATH.test(path) ? key : undefined;
}

/** The host of a `Host` header: lower-cased, without port. */
export function hostOf(header: string): string {
  return (header.split(':')[0] ?? '').toLowerCase();
}

/**
 * The keys a request may be routed by, best first: the exact host with ever shorter paths, then the same for each
 * wildcard made by dropping leading labels.
 */
export function* candidateUris(host: string, path: string): Generator<string> {
  const [raw = ''] = path.toLowerCase().split('?');
  const paths = prefixes(raw.replace(/\/+$/, ''));
  for (const name of hosts(host.toLowerCase())) for (const prefix of paths) yield `${name}${prefix}`;
}

function prefixes(path: string): string[] {
  const found: string[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) found.push(path.slice(0, end));
  return [...found, ''];
}

function* hosts(host: string): Generator<string> {
  yield host;
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) yield `*${host.slice(dot)}`;
}
