import { parseSizeMb } from '../contract/units.ts';
import { describe, plainOf, type Tree } from './client-manifest-tree.ts';

/** What reading one value gives: the value, or what is wrong with it. */
export type Reading = { readonly value: unknown } | { readonly fault: string; readonly line?: number };
type Reader = (tree: Tree) => Reading;

/** How one key is read: its name in the server's manifest, or `client` when only the client wants it. */
export type KeyRule = { readonly as: string; readonly isClient?: true; readonly read: Reader };

const ok = (value: unknown): Reading => ({ value });
const wrong = (fault: string, line?: number): Reading => (line === undefined ? { fault } : { fault, line });

const text: Reader = (tree) =>
  tree.kind === 'scalar' && tree.value !== null && tree.text !== ''
    ? ok(tree.text)
    : wrong(`must be text, not ${describe(tree)}`);

const textOrNull: Reader = (tree) => (tree.kind === 'scalar' && tree.value === null ? ok(null) : text(tree));

const size: Reader = (tree) => {
  if (tree.kind !== 'scalar' || tree.value === null) return wrong(`must be a size such as 256M, not ${describe(tree)}`);
  // The 2.x client took a bare number as MB.
  const written = typeof tree.value === 'number' ? `${tree.value}M` : tree.text;
  if (parseSizeMb(written) !== undefined) return ok(written.trim());
  return wrong(`'${tree.text}' is not a size; write a number with M or G, such as 256M or 1G`);
};

const whole =
  (least: number, most = 1_000_000): Reader =>
  (tree) => {
    const value = tree.kind === 'scalar' ? Number(tree.text) : Number.NaN;
    const isWhole = tree.kind === 'scalar' && tree.text.trim() !== '' && Number.isSafeInteger(value);
    return isWhole && value >= least && value <= most
      ? ok(value)
      : wrong(`must be a whole number from ${least}${most < 1_000_000 ? ` to ${most}` : ''}, not ${describe(tree)}`);
  };

const flag: Reader = (tree) => {
  if (tree.kind === 'scalar' && typeof tree.value === 'boolean') return ok(tree.value);
  if (tree.kind === 'scalar' && /^(yes|on)$/i.test(tree.text)) return ok(true);
  if (tree.kind === 'scalar' && /^(no|off)$/i.test(tree.text)) return ok(false);
  return wrong(`must be true or false, not ${describe(tree)}`);
};

const oneOf =
  (...allowed: readonly string[]): Reader =>
  (tree) =>
    tree.kind === 'scalar' && allowed.includes(tree.text)
      ? ok(tree.text)
      : wrong(`must be one of ${allowed.join(', ')}, not ${describe(tree)}`);

const path: Reader = (tree) =>
  tree.kind === 'scalar' && tree.text.startsWith('/')
    ? ok(tree.text)
    : wrong(`must start with /, not ${describe(tree)}`);

const texts: Reader = (tree) => {
  if (tree.kind === 'scalar' && tree.value !== null) return ok([tree.text]);
  if (tree.kind !== 'list') return wrong(`must be a list, not ${describe(tree)}`);
  const bad = tree.items.find((item) => item.kind !== 'scalar' || item.value === null);
  return bad ? wrong(`must be a list of texts, not ${describe(bad)}`, bad.line) : ok(tree.items.map(plainText));
};

const routes: Reader = (tree) => {
  if (tree.kind !== 'list') return wrong(`must be a list of \`- route: host.domain\`, not ${describe(tree)}`);
  const values: string[] = [];
  for (const item of tree.items) {
    const route = item.kind === 'map' ? item.entries.find(({ key }) => key === 'route')?.value : item;
    if (route?.kind !== 'scalar' || route.value === null) {
      return wrong(`must be \`- route: host.domain\`, not ${describe(item)}`, item.line);
    }
    values.push(route.text);
  }
  return ok(values);
};

/** Names of services: a list, or the 3.x form `name: type`. */
const services: Reader = (tree) =>
  tree.kind === 'map' ? ok(tree.entries.map(({ key }) => key)) : tree.kind === 'list' ? ok(plainOf(tree)) : texts(tree);

const any: Reader = (tree) => ok(plainOf(tree));
const list: Reader = (tree) =>
  tree.kind === 'list' ? ok(plainOf(tree)) : wrong(`must be a list, not ${describe(tree)}`);
const map: Reader = (tree) =>
  tree.kind === 'map' ? ok(plainOf(tree)) : wrong(`must be a group of keys, not ${describe(tree)}`);

const framework: Reader = (tree) => {
  if (tree.kind !== 'map') return text(tree);
  const type = tree.entries.find(({ key }) => key === 'type')?.value;
  return type ? text(type) : ok(undefined);
};

function plainText(tree: Tree): string {
  return tree.kind === 'scalar' ? tree.text : '';
}

const server = (as: string, read: Reader): KeyRule => ({ as, read });
const client = (as: string, read: Reader): KeyRule => ({ as, read, isClient: true });

/** Keys of one process; they may stand at the application too. Hyphens; underscores mean the same. */
export const processKeys: Readonly<Record<string, KeyRule>> = {
  command: server('command', textOrNull),
  instances: server('instances', whole(0)),
  memory: server('memory', size),
  mem: server('memory', size),
  'disk-quota': server('disk_quota', size),
  disk: server('disk_quota', size),
  'log-rate-limit-per-second': server('log-rate-limit-per-second', text),
  'health-check-type': server('health-check-type', oneOf('port', 'http', 'process', 'none')),
  'health-check-http-endpoint': server('health-check-http-endpoint', path),
  'health-check-invocation-timeout': server('health-check-invocation-timeout', whole(1)),
  'health-check-interval': server('health-check-interval', whole(1)),
  'readiness-health-check-type': server('readiness-health-check-type', oneOf('port', 'http', 'process')),
  'readiness-health-check-http-endpoint': server('readiness-health-check-http-endpoint', path),
  'readiness-health-check-invocation-timeout': server('readiness-health-check-invocation-timeout', whole(1)),
  'readiness-health-check-interval': server('readiness-health-check-interval', whole(1)),
  timeout: server('timeout', whole(1)),
  'health-timeout': server('timeout', whole(1)),
  user: server('user', text),
};

/** Keys of one application, besides `env`, `processes` and `stackato`, which are read on their own. */
export const appKeys: Readonly<Record<string, KeyRule>> = {
  ...processKeys,
  name: client('name', text),
  path: client('path', text),
  'app-dir': client('path', text),
  buildpack: server('buildpacks', (tree) => (tree.kind === 'scalar' && tree.value === null ? ok([]) : texts(tree))),
  buildpacks: server('buildpacks', texts),
  stack: server('stack', text),
  'placement-zone': server('placement-zone', text),
  routes: client('routes', routes),
  url: client('routes', texts),
  urls: client('routes', texts),
  domain: client('domain', text),
  host: client('host', text),
  'no-route': server('no-route', flag),
  'random-route': server('random-route', flag),
  'default-route': server('default-route', flag),
  services: server('services', services),
  sidecars: server('sidecars', list),
  metadata: server('metadata', map),
  features: server('features', map),
  lifecycle: server('lifecycle', oneOf('buildpack', 'docker', 'cnb')),
  framework: client('framework', framework),
  ignores: client('ignores', texts),
  description: client('description', any),
  'min-version': client('minVersion', any),
};

/** Keys that mean something in a `stackato.yml` and are not acted on yet. */
export const inertKeys: readonly string[] = [
  'autoscale',
  'cron',
  'depends-on',
  'drain',
  'hooks',
  'inherit',
  'requirements',
  'sso-enabled',
];

/** Keys that can't be left out without changing what the app is. */
export const refusedKeys: Readonly<Record<string, string>> = {
  docker: 'Docker images are not supported yet; push source code',
};
