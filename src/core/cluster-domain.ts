import { reservedHosts, systemHosts } from '../contract/hosts.ts';

/** Why something can't be, and what to do. */
type Refused = { readonly refused: string; readonly next: string };

/** The domain that an endpoint names: `api.DOMAIN`, or the domain itself; in small letters. */
export function domainOfEndpoint(endpoint: string): { readonly domain: string } | Refused {
  const domain = endpoint.toLowerCase().replace(/^api\./, '');
  if (isDomain(domain)) return { domain };
  return { refused: `'${endpoint}' is no host name of an API`, next: 'for example api.cloud.example.com' };
}

/** Can a platform have this domain? An address is none. */
export function isDomain(domain: string): boolean {
  const labels = domain.split('.');
  const isLabel = (label: string) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label);
  return labels.length >= 2 && domain.length <= 200 && labels.every(isLabel) && !/^\d+$/.test(labels.at(-1) ?? '');
}

/** What the controller knows about a domain that is to be the platform's. */
export type DomainFacts = {
  readonly to: string;
  /** A domain of that name, when there is one. */
  readonly known: { readonly isShared: boolean; readonly hosts: readonly string[] } | undefined;
  /** Domains above it that belong to one organization. */
  readonly owned: readonly string[];
  /** All domains below it. */
  readonly below: readonly string[];
  /** Hosts of the routes that are to move to it. */
  readonly hosts: readonly string[];
};

/** Why the platform can't have this domain; undefined when it can. */
export function judgeDomain({ to, known, owned, below, hosts }: DomainFacts): string | undefined {
  if (known !== undefined && !known.isShared) return `the domain ${to} belongs to an organization`;
  if (owned.length > 0) return `${to} lies below ${owned.join(', ')}, which belongs to an organization`;
  const reserved = (known?.hosts ?? []).filter((host) => host === '' || reservedHosts.includes(host));
  if (reserved.length > 0) {
    const names = reserved.map((host) => (host === '' ? to : `${host}.${to}`));
    return `apps have the routes ${names.join(', ')}, which would be the platform's own; delete or move them first`;
  }
  const system = new Set<string>(Object.values(systemHosts(to)));
  const taken = below.filter((name) => system.has(name) || hosts.some((host) => `${host}.${to}` === name));
  if (taken.length === 0) return undefined;
  return `there are domains named ${taken.join(', ')}, like hosts of the platform or of apps; delete them first`;
}
