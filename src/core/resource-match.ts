/** A file that a client has, or wants in a package: SHA-1 of its content, size in bytes, path, octal mode. */
export type Resource = {
  readonly sha1: string;
  readonly bytes: number;
  readonly path: string;
  /** Octal, as text: `0644`. */
  readonly mode: string;
};

/** Files outside these sizes are not kept apart from their package; they would cost more than they save. Bytes. */
export const resourceSizes = { least: 4096, most: 512 * 1024 * 1024 } as const;

/** Can a file of this description be in the cache? */
export function isMatchable(resource: Pick<Resource, 'sha1' | 'bytes'>): boolean {
  return (
    /^[0-9a-f]{40}$/.test(resource.sha1) &&
    resource.bytes >= resourceSizes.least &&
    resource.bytes <= resourceSizes.most
  );
}

/** The resources that the cache has, in the order asked for. `known` gives the size in bytes of a SHA-1 it has. */
export function matchResources(resources: readonly Resource[], known: ReadonlyMap<string, number>): Resource[] {
  return resources.filter((resource) => isMatchable(resource) && known.get(resource.sha1) === resource.bytes);
}

/** Permission bits of an octal mode such as `0644` or `100755`; undefined when it is none. */
export function parseMode(mode: string): number | undefined {
  if (!/^[0-7]{3,6}$/.test(mode)) return undefined;
  return Number.parseInt(mode, 8) & 0o777;
}

/** What file systems take, in bytes of UTF-8: a whole path, and a name between two slashes. */
const PATH_BYTES = 4096;
const NAME_BYTES = 255;

/**
 * Why a path must not be in a package, or undefined when it may: it must stay inside the app's folder, and a file
 * system must be able to hold it.
 */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'an empty file name';
  if (path.includes('\0')) return 'a file name with a NUL';
  if (path.includes('\\')) return `'${path}' (a backslash in its name)`;
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return `'${path}' (an absolute path)`;
  if (path.split('/').includes('..')) return `'${path}' (a path outside the app's folder)`;
  if (isLonger(path, PATH_BYTES)) return `'${path.slice(0, 60)}…' (a path longer than ${PATH_BYTES} bytes)`;
  const long = isLonger(path, NAME_BYTES) ? path.split('/').find((name) => isLonger(name, NAME_BYTES)) : undefined;
  return long === undefined ? undefined : `'${long.slice(0, 60)}…' (a name longer than ${NAME_BYTES} bytes)`;
}

/** In bytes of UTF-8, of which a character takes three at most; only what may be too long is encoded. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}

/** A path that other paths are below of although it is no folder; undefined when there is none. */
export function fileAsFolder(
  entries: readonly { readonly path: string; readonly isFolder: boolean }[],
): { readonly file: string; readonly below: string } | undefined {
  const files = new Set(entries.filter(({ isFolder }) => !isFolder).map(({ path }) => plainPath(path)));
  for (const { path } of entries) {
    const plain = plainPath(path);
    for (let at = plain.indexOf('/'); at > 0; at = plain.indexOf('/', at + 1)) {
      if (files.has(plain.slice(0, at))) return { file: plain.slice(0, at), below: path };
    }
    if (path.endsWith('/') && files.has(plain)) return { file: plain, below: path };
  }
  return undefined;
}

/** A path without empty and `.` parts. */
export function plainPath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/**
 * Does a symbolic link inside a package stay inside it? `path` is the link's own. It may climb only at the beginning
 * of its target, so that no other link can change where it climbs from.
 */
export function isLinkInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0') || target.includes('\\')) return false;
  const depth = path.split('/').filter((part) => part !== '' && part !== '.').length - 1;
  const steps = target.split('/').filter((part) => part !== '' && part !== '.');
  const climbs = steps.findIndex((part) => part !== '..');
  const count = climbs < 0 ? steps.length : climbs;
  return count <= depth && !steps.slice(count).includes('..');
}
