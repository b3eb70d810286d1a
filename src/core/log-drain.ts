/** Where a drain sends lines, which, and how they are written. */
export type LogDrain = {
  readonly protocol: 'tcp' | 'tls' | 'udp';
  readonly host: string;
  readonly port: number;
  /** Beginnings of keys, in whole words; all lines without any. */
  readonly filters: readonly string[];
  readonly format: 'json' | 'raw' | 'syslog';
};

const EXAMPLE = 'tcp://logs.example.com:514/?filter=apptail&format=syslog';

/** Reads a drain's URI, `tcp://host:port/?filter=apptail&filter=systail.dea&format=syslog`; or why it is none. */
export function readDrain(uri: string): LogDrain | { readonly refused: string } {
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    return { refused: `'${uri}' is no URI such as ${EXAMPLE}` };
  }
  const protocol = url.protocol.slice(0, -1);
  if (protocol !== 'tcp' && protocol !== 'tls' && protocol !== 'udp') {
    return { refused: `a drain speaks tcp, tls or udp, not ${protocol}` };
  }
  if (url.username !== '' || url.password !== '') return { refused: 'a drain takes no user and no password' };
  const port = Number(url.port);
  if (url.hostname === '' || port === 0) return { refused: `the drain lacks a host or a port; for example ${EXAMPLE}` };
  if (url.pathname !== '' && url.pathname !== '/') return { refused: `a drain has no path, such as ${url.pathname}` };
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'filter' && name !== 'format');
  if (unknown !== undefined) return { refused: `a drain has filter and format, not ${unknown}` };
  const format = url.searchParams.get('format') ?? 'json';
  if (format !== 'json' && format !== 'raw' && format !== 'syslog') {
    return { refused: `the format is json, raw or syslog, not ${format}` };
  }
  const filters = url.searchParams.getAll('filter');
  const wrong = filters.find((filter) => !isLogKey(filter));
  if (wrong !== undefined) return { refused: `'${wrong}' is no key such as apptail, apptail.APP-GUID or systail.dea` };
  return { protocol, host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port, filters, format };
}

/** May lines have keys that begin so? */
export function isLogKey(key: string): boolean {
  return /^(apptail|systail)(\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_.-]+)?)?$/.test(key);
}

/** Is a line with this key wanted by one of the filters? */
export function isForDrain(filters: readonly string[], key: string): boolean {
  return filters.length === 0 || filters.some((filter) => key === filter || key.startsWith(`${filter}.`));
}

/** How long to wait before another try, ms; `failingForMs`: since the first failure in a row. */
export function drainRetryMs(failingForMs: number): number {
  const minutes = failingForMs / 60_000;
  if (minutes < 1) return 5000;
  if (minutes < 6) return 30_000;
  return minutes < 16 ? 60_000 : 300_000;
}
