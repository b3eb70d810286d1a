/** An address of a manifest taken apart against the domains that exist. */
export type SplitRoute = { readonly host: string; readonly domain: string; readonly path: string };

/** Domains that a route such as `a.b.example/path` could be on, the most specific first. */
export function domainCandidates(route: string): string[] {
  const parts = (route.split('/')[0] ?? '').toLowerCase().split('.');
  return parts.map((_part, i) => parts.slice(i).join('.')).filter((name) => name.includes('.'));
}

/** Host, domain and path of a route, by the most specific domain that exists; undefined when none does. */
export function splitRoute(route: string, domains: readonly string[]): SplitRoute | undefined {
  const known = new Set(domains.map((name) => name.toLowerCase()));
  const domain = domainCandidates(route).find((name) => known.has(name));
  if (domain === undefined) return undefined;
  const slash = route.indexOf('/');
  const name = slash < 0 ? route : route.slice(0, slash);
  const path = slash < 0 ? '' : route.slice(slash);
  return { host: name.slice(0, Math.max(0, name.length - domain.length - 1)), domain, path: path === '/' ? '' : path };
}

const ADJECTIVES = [
  'brave',
  'calm',
  'clever',
  'eager',
  'fancy',
  'fast',
  'gentle',
  'happy',
  'kind',
  'lively',
  'neat',
  'proud',
  'quiet',
  'shiny',
  'swift',
  'wise',
];
const NOUNS = [
  'badger',
  'bear',
  'cat',
  'crane',
  'dolphin',
  'eagle',
  'fox',
  'gecko',
  'koala',
  'lynx',
  'otter',
  'panda',
  'puffin',
  'raven',
  'tiger',
  'wombat',
];

/** A host for an app that wants any: its name, two words and two letters by lot, within a label's 63 characters. */
export function randomHost(app: string, pick: (n: number) => number): string {
  const letter = () => String.fromCharCode(97 + pick(26));
  const words = `${ADJECTIVES[pick(ADJECTIVES.length)]}-${NOUNS[pick(NOUNS.length)]}-${letter()}${letter()}`;
  const name = app
    .toLowerCase()
    .replace(/[^\w-]+/g, '-')
    .slice(0, 62 - words.length);
  return `${name}-${words}`;
}
