import { parseSizeMb } from '../contract/units.ts';
import { environmentProblem, envProblem } from './env-variable.ts';
import { type ManifestProcess, processKeys, readProcesses } from './manifest-process.ts';
import { isRecord, type ManifestProblem, ManifestReader } from './manifest-reader.ts';
import { placementZoneLabel } from './placement.ts';

export type ManifestRoute = {
  readonly route: string;
  readonly protocol?: 'http1' | 'http2' | 'tcp';
  readonly options?: Readonly<Record<string, string>>;
};

export type ManifestService = { readonly name: string; readonly bindingName?: string; readonly parameters?: unknown };

export type ManifestSidecar = {
  readonly name: string;
  readonly command?: string;
  readonly processTypes?: readonly string[];
  readonly memoryMb?: number;
};

/** One application of a manifest, checked; absent means unchanged. */
export type ManifestApp = {
  readonly name: string;
  readonly lifecycle?: 'buildpack' | 'docker' | 'cnb';
  readonly buildpacks?: readonly string[];
  readonly stack?: string;
  readonly docker?: { readonly image: string; readonly username?: string };
  readonly env?: Readonly<Record<string, string>>;
  readonly features: Readonly<Record<string, boolean>>;
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly noRoute: boolean;
  readonly randomRoute: boolean;
  readonly defaultRoute: boolean;
  readonly routes: readonly ManifestRoute[];
  readonly services: readonly ManifestService[];
  readonly sidecars: readonly ManifestSidecar[];
  readonly processes: readonly ManifestProcess[];
};

/** Every key of an application that the server acts on, in its hyphen form. */
export const manifestKeys: readonly string[] = [
  'name',
  'buildpack',
  'buildpacks',
  'docker',
  'env',
  'features',
  'lifecycle',
  'cnb-credentials',
  'metadata',
  'placement-zone',
  'no-route',
  'random-route',
  'default-route',
  'processes',
  'routes',
  'services',
  'sidecars',
  'stack',
  ...processKeys,
];

const LONGEST_NAME = 255;
/** All apps of a manifest are applied in one transaction, which others wait for. */
const MOST_APPS = 200;
const hasControls = (text: string) => [...text].some((char) => char < ' ' || char === '\u007f');

/**
 * Checks a parsed manifest, after YAML and before anything is changed.
 *
 * @returns the applications, or what is wrong, one problem for each mistake, in the API's own words
 */
export function checkManifest(manifest: unknown): { apps: ManifestApp[] } | { problems: ManifestProblem[] } {
  const top = isRecord(manifest) ? manifest : {};
  if (top.version !== undefined && top.version !== 1) {
    return problem('Unsupported manifest schema version. Currently supported versions: [1].');
  }
  if (!Array.isArray(top.applications) || top.applications.length === 0) {
    return problem("Cannot parse manifest with no 'applications' field.");
  }
  if (top.applications.length > MOST_APPS) {
    return problem(
      `A manifest may name ${MOST_APPS} applications, this one names ${top.applications.length}; divide it.`,
    );
  }
  const problems: ManifestProblem[] = [];
  const apps = top.applications.map((value, index) => readApp(value, index, problems));
  const names = apps.map((app) => app.name);
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (twice !== undefined) problems.push({ path: ['applications'], message: `Application '${twice}' appears twice` });
  return problems.length > 0 ? { problems } : { apps };
}

const problem = (message: string) => ({ problems: [{ path: [], message }] });

function readApp(value: unknown, index: number, problems: ManifestProblem[]): ManifestApp {
  const raw = isRecord(value) ? value : {};
  const name = typeof raw.name === 'number' ? String(raw.name) : raw.name;
  const named = typeof name === 'string' && name.trim() !== '';
  const read = new ManifestReader(raw, {
    subject: named ? `For application '${name.slice(0, LONGEST_NAME)}': ` : `For application at index ${index}: `,
    path: ['applications', index],
    problems,
  });
  if (!named) read.complain('name', 'Name must not be empty');
  else if (name.length > LONGEST_NAME) read.complain('name', `Name must not have more than ${LONGEST_NAME} characters`);
  else if (hasControls(name)) read.complain('name', 'Name must not contain control characters');
  const lifecycle = read.oneOf('lifecycle', ['buildpack', 'docker', 'cnb']);
  const buildpacks = readBuildpacks(read);
  const stack = read.text('stack');
  const docker = readDocker(read);
  if (docker && buildpacks) read.complain('docker', 'Docker cannot be configured for a buildpack lifecycle app.');
  const env = readEnv(read);
  const randomRoute = read.flag('random-route');
  const defaultRoute = read.flag('default-route');
  if (randomRoute && defaultRoute) {
    read.complain('random-route', 'Random-route and default-route may not be used together');
  }
  return {
    name: named ? name : '',
    ...(lifecycle ? { lifecycle } : {}),
    ...(buildpacks ? { buildpacks } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(docker ? { docker } : {}),
    ...(env ? { env } : {}),
    ...readMetadata(read),
    features: read.record('features', 'Features must be an object of names and booleans', (v) => v === true),
    noRoute: read.flag('no-route'),
    randomRoute,
    defaultRoute,
    routes: readRoutes(read),
    services: readServices(read),
    sidecars: readSidecars(read),
    processes: readProcesses(read),
  };
}

function readBuildpacks(read: ManifestReader): string[] | undefined {
  const one = read.raw('buildpack');
  const list = read.raw('buildpacks');
  if (one !== undefined && list !== undefined) {
    read.complain('buildpacks', 'Buildpack and Buildpacks fields cannot be used together.');
  }
  if (list === undefined) {
    if (one === undefined) return undefined;
    if (one === null || one === 'default' || one === 'null') return [];
    if (typeof one === 'string') return [one];
    read.complain('buildpack', 'Buildpack must be a string');
    return undefined;
  }
  if (list === null) return [];
  if (Array.isArray(list) && list.every((item) => typeof item === 'string' && item !== '')) return list;
  read.complain('buildpacks', 'Buildpacks must be an array of strings');
  return undefined;
}

function readDocker(read: ManifestReader): ManifestApp['docker'] {
  const docker = read.raw('docker');
  if (docker === undefined || docker === null) return undefined;
  if (isRecord(docker) && typeof docker.image === 'string' && docker.image !== '') {
    return { image: docker.image, ...(typeof docker.username === 'string' ? { username: docker.username } : {}) };
  }
  read.complain('docker', 'Docker image is required');
  return undefined;
}

function readEnv(read: ManifestReader): Record<string, string> | undefined {
  const env = read.raw('env');
  if (env === undefined || env === null) return undefined;
  if (!isRecord(env)) {
    read.complain('env', 'Env must be an object of keys and values');
    return undefined;
  }
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    const wrong = envProblem(key, value === null ? '' : String(value));
    if (wrong) read.complain('env', `Env ${wrong}`, [key]);
    else if (typeof value === 'object' && value !== null) read.complain('env', `Env '${key}' must be a string`, [key]);
    else result[key] = value === null ? '' : String(value);
  }
  const large = environmentProblem(result);
  if (large) read.complain('env', `Env variables ${large}`);
  return result;
}

function readMetadata(read: ManifestReader): Pick<ManifestApp, 'labels' | 'annotations'> {
  const metadata = read.raw('metadata');
  const source = isRecord(metadata) ? metadata : {};
  if (metadata !== undefined && metadata !== null && !isRecord(metadata)) {
    read.complain('metadata', 'Metadata must be an object with labels and annotations');
  }
  const texts = (value: unknown) =>
    Object.fromEntries(
      Object.entries(isRecord(value) ? value : {}).map(([key, text]) => [key, text === null ? null : String(text)]),
    );
  const zone = read.raw('placement-zone');
  if (zone !== undefined && zone !== null && !isZoneName(zone)) {
    read.complain('placement-zone', `Placement zone must be a name of letters, digits, '-' and '_'`);
  }
  const wanted = zone === undefined ? {} : { [placementZoneLabel]: zone === null ? null : String(zone) };
  return { labels: { ...texts(source.labels), ...wanted }, annotations: texts(source.annotations) };
}

function isZoneName(zone: unknown): boolean {
  return typeof zone === 'string' && /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(zone);
}

function readRoutes(read: ManifestReader): ManifestRoute[] {
  return read.list('routes', 'Routes must be a list of route objects', (item) => {
    if (!isRecord(item) || typeof item.route !== 'string') return undefined;
    const { route, protocol, options } = item;
    if (!isRouteText(route)) {
      read.complain('routes', `The route '${route}' is not a properly formed URL`);
    }
    if (protocol !== undefined && protocol !== 'http1' && protocol !== 'http2' && protocol !== 'tcp') {
      read.complain('routes', `Route protocol must be 'http1', 'http2' or 'tcp'.`);
      return { route };
    }
    return {
      route,
      ...(protocol ? { protocol } : {}),
      ...(isRecord(options)
        ? { options: Object.fromEntries(Object.entries(options).map(([key, value]) => [key, String(value)])) }
        : {}),
    };
  });
}

const isRouteText = (route: string) => /^(\*\.)?[\w-]+(\.[\w-]+)+(:\d+)?(\/[^?\s]*)?$/.test(route);

function readServices(read: ManifestReader): ManifestService[] {
  return read.list('services', 'Services must be a list of service instances', (item) => {
    if (typeof item === 'string') return { name: item };
    if (!isRecord(item) || typeof item.name !== 'string') return undefined;
    return {
      name: item.name,
      ...(typeof item.binding_name === 'string' ? { bindingName: item.binding_name } : {}),
      ...(item.parameters === undefined ? {} : { parameters: item.parameters }),
    };
  });
}

function readSidecars(read: ManifestReader): ManifestSidecar[] {
  return read.list('sidecars', 'Sidecars must be a list of sidecar configurations', (item) => {
    if (!isRecord(item) || typeof item.name !== 'string') return undefined;
    const memoryMb = typeof item.memory === 'string' ? parseSizeMb(item.memory) : undefined;
    return {
      name: item.name,
      ...(typeof item.command === 'string' ? { command: item.command } : {}),
      ...(Array.isArray(item.process_types) ? { processTypes: item.process_types.map(String) } : {}),
      ...(memoryMb === undefined ? {} : { memoryMb }),
    };
  });
}
