import { systemHosts } from '../../contract/hosts.ts';

/** How the client reached us: `origin` begins every link; `scheme` and `port` (`:8443` or empty) make other hosts'. */
export type Origin = { readonly origin: string; readonly scheme: string; readonly port: string };

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Reads scheme and host of a request; a host that is not one of ours is replaced by the API's, so that no link leads astray. */
export function originOf(headers: Headers, domain: string): Origin {
  const hosts = systemHosts(domain);
  const scheme = first(headers['x-forwarded-proto']) === 'https' ? 'https' : 'http';
  const [, name = '', port = ''] = /^([^:]+)(:\d{1,5})?$/.exec(first(headers.host).toLowerCase()) ?? [];
  if (![hosts.api, hosts.console, domain].includes(name)) {
    return { origin: `${scheme}://${hosts.api}`, scheme, port: '' };
  }
  return { origin: `${scheme}://${name}${port}`, scheme, port };
}

function first(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value)?.split(',')[0]?.trim() ?? '';
}
