/** A hosts file in which one address is another; how many lines that changed. Comments and other lines stay as they are. */
export function remapHosts(text: string, from: string, to: string): { readonly text: string; readonly lines: number } {
  let lines = 0;
  const mapped = text.split('\n').map((line) => {
    const [, before = '', address, rest = ''] = /^(\s*)(\S+)(\s.*)$/.exec(line) ?? [];
    if (address !== from) return line;
    lines += 1;
    return `${before}${to}${rest}`;
  });
  return { text: mapped.join('\n'), lines };
}

const PROXY_NAMES = ['HTTP_PROXY', 'HTTPS_PROXY'];

/** A proxy as `http://[user:password@]host:port`, also from `host:port`; undefined when it is none. */
export function parseProxy(text: string): string | undefined {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
  const isProxy = /^https?:\/\/([^\s/@]+@)?[A-Za-z0-9.-]+:(\d{1,5})\/?$/.exec(url);
  return isProxy && Number(isProxy[2]) <= 65_535 ? url.replace(/\/$/, '') : undefined;
}

/**
 * The variables of staging with a proxy, or with none: in both spellings, because programs differ. Hosts that are reached
 * without it are the cluster's own besides those that were set.
 */
export function withProxy(
  environment: Readonly<Record<string, string>>,
  { proxy, domain }: { proxy: string | undefined; domain: string },
): Record<string, string> {
  const isProxyName = (name: string) => PROXY_NAMES.includes(name.toUpperCase());
  const kept = Object.entries(environment).filter(([name]) => !isProxyName(name));
  if (proxy === undefined) return Object.fromEntries(kept);
  const direct = environment.NO_PROXY ?? environment.no_proxy ?? `localhost,127.0.0.1,.${domain}`;
  const named = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct };
  const both = Object.entries(named).flatMap(([name, value]) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(both) };
}

/** Can this be the name of a time zone, such as `Europe/Zurich` or `UTC`? */
export function isZoneName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z][A-Za-z0-9_+-]*){0,2}$/.test(name);
}
