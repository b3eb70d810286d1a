/** A buildpack that a task may use, as the request lists it. */
export type OfferedBuildpack = {
  /** Buildpack guid. */
  readonly key: string;
  readonly name: string;
  /** Zip; null for one that comes with the platform. */
  readonly url: string | null;
  readonly sha256: string | null;
};

/** Where a chosen buildpack comes from. */
export type BuildpackSource =
  | { readonly kind: 'builtin'; readonly folder: string }
  | { readonly kind: 'archive'; readonly url: string; readonly sha256: string | null }
  /** Fetched inside the container, so that the app's egress rules hold. */
  | { readonly kind: 'zip' | 'git'; readonly url: string; readonly branch: string };

export type ChosenBuildpack = { readonly key: string | null; readonly name: string; readonly source: BuildpackSource };

export type BuildpackChoice = {
  /** `detect`: the first one that recognises the app; `use`: all of them, the last one makes the start command. */
  readonly mode: 'detect' | 'use';
  readonly buildpacks: readonly ChosenBuildpack[];
};

/** Our own buildpacks in the order in which they are asked: name → folder below `buildpacks/`. */
export const builtinBuildpacks: Readonly<Record<string, string>> = {
  nodejs_buildpack: 'nodejs',
  python_buildpack: 'python',
  staticfile_buildpack: 'staticfile',
  go_buildpack: 'go',
  ruby_buildpack: 'ruby',
  php_buildpack: 'php',
  java_buildpack: 'java',
  binary_buildpack: 'binary',
};

/**
 * Picks the buildpacks of a task.
 *
 * @param requested names or URLs in order; empty means that each offered buildpack is asked
 * @param offered the platform's buildpacks; when empty, our own
 * @returns the choice, or an error that names what is not there and what is
 */
export function chooseBuildpacks(
  requested: readonly string[],
  offered: readonly OfferedBuildpack[],
): BuildpackChoice | { readonly error: string } {
  const known = offered.length > 0 ? offered : Object.keys(builtinBuildpacks).map(asBuiltin);
  if (requested.length === 0) return { mode: 'detect', buildpacks: known.flatMap((one) => fromOffered(one) ?? []) };
  const buildpacks: ChosenBuildpack[] = [];
  for (const name of requested) {
    const match = known.find((one) => one.name === name || one.key === name) ?? knownBuiltin(name);
    const chosen = match ? fromOffered(match) : fromUrl(name);
    if (!chosen) {
      return {
        error: `there is no buildpack '${name}'; use one of ${known.map((one) => one.name).join(', ')}, or the URL of a zip file or git repository`,
      };
    }
    buildpacks.push(chosen);
  }
  return { mode: 'use', buildpacks };
}

function asBuiltin(name: string): OfferedBuildpack {
  return { key: name, name, url: null, sha256: null };
}

function knownBuiltin(name: string): OfferedBuildpack | undefined {
  return Object.hasOwn(builtinBuildpacks, name) ? asBuiltin(name) : undefined;
}

function fromOffered(one: OfferedBuildpack): ChosenBuildpack | undefined {
  const { key, name, url, sha256 } = one;
  if (url !== null) return { key, name, source: { kind: 'archive', url, sha256 } };
  const folder = Object.hasOwn(builtinBuildpacks, name) ? builtinBuildpacks[name] : undefined;
  return folder === undefined ? undefined : { key, name, source: { kind: 'builtin', folder } };
}

function fromUrl(text: string): ChosenBuildpack | undefined {
  if (!/^(https?|git):\/\/[^\s/]+\/\S+$/.test(text)) return undefined;
  const [url = '', branch = ''] = text.split('#', 2);
  if (/[^A-Za-z0-9._/-]/.test(branch) || branch.startsWith('-')) return undefined;
  const isZip = /\.zip(\?\S*)?$/i.test(url) && !url.startsWith('git:');
  return { key: null, name: withoutCredentials(text), source: { kind: isZip ? 'zip' : 'git', url, branch } };
}

/** The name of a buildpack is shown to people; a password in its URL is not. */
function withoutCredentials(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/@]*@/, '$1');
}
